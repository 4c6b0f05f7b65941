"""Whether an answer is a refusal: by the provider's own signs, and by a few unmistakable openings.

Conservative on purpose: a polite negative answer is no refusal, and a long text that begins with an apology mostly goes
on to help. English only; other languages are recognised by the provider's signs.
"""

import re
from typing import Final

from policies.outcome.answer import Answer

_LONGEST: Final = 400  # characters of a text that can be a refusal and nothing else
_APOLOGY: Final = (
    r"(?:(?:i'?m|i am)(?: very| so| really)? (?:sorry|afraid)|sorry|apologies|unfortunately)[,.!]?(?: but| that)? ?"
)
_UNABLE: Final = r"i (?:can't|cannot|can not|won't|will not|must decline to)"
_NOT_ABLE: Final = r"(?:i'm|i am) (?:not able|unable|not permitted|not allowed) to"
_OBJECT: Final = r"(?:that|this|your request|the request)"
_VERBS: Final = (
    rf"(?:help|assist)(?: you)? with {_OBJECT}",
    rf"(?:comply|continue) with {_OBJECT}",
    r"(?:fulfill?|complete|process) (?:that|this|your) request",
    r"(?:provide|share|discuss|create|generate) (?:that|this|such|any such) (?:information|content|material)",
    r"(?:do|answer|discuss) (?:that|this)(?= *[.!]|$)",
)
_BEGINNINGS: Final = frozenset({"i'", "i ", "im", "so", "ap", "un"})  # the first two letters of what may match
_OPENING: Final = re.compile(rf"\s*(?:{_APOLOGY})?(?:{_UNABLE}|{_NOT_ABLE}) (?:{'|'.join(_VERBS)})", re.IGNORECASE)


def refusal_of(answer: Answer) -> str | None:
    """By what an answer is known to be a refusal, as a few words; None: it is none."""
    if answer.refusal:
        return "refusal field"
    if answer.finish_reason == "content_filter":
        return "content_filter"
    if not answer.tool_calls and _refuses(answer.text):
        return "opening of the text"
    return None


def _refuses(text: str) -> bool:
    if len(text) > _LONGEST:
        return False
    first = text.lstrip()[:2]
    if first.isascii() and first.lower() not in _BEGINNINGS:  # as nearly all answers
        return False
    return _OPENING.match(text.replace("\u2019", "'")) is not None
