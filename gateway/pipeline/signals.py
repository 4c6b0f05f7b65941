"""What the gateway can see for itself: the same question again, and a next turn that corrects the last answer."""

import re
from typing import Literal

from gateway.pipeline.recent import Recent

RETRY_WITHIN_S = 300.0
_LOOKED_AT = 240

_CORRECTION = re.compile(
    r"^\W*(?:"
    r"no[,.!]|nope\b|wrong\b|incorrect\b|not what i\b|that(?:'s| is|s) (?:not|wrong|incorrect)\b"
    r"|this is (?:wrong|not)\b|i (?:meant|said|asked)\b|you (?:misunderstood|missed|forgot|ignored)\b"
    r"|try again\b|actually,? (?:i|no|it)\b"
    r")|\bi meant\b|\bthat(?:'s| is) (?:wrong|incorrect|not (?:right|correct|what))\b",
    re.IGNORECASE,
)


def observe(before: Recent, *, turn: int, text: str, said: int, now: float) -> Literal["retry", "correction"] | None:
    """What a request says about the one before it in the same unit."""
    if said == before.said:
        return "retry" if now - before.at <= RETRY_WITHIN_S else None
    if turn > before.turn and is_correction(text):
        return "correction"
    return None


def is_correction(text: str) -> bool:
    """Whether a user's words reject the answer before them. A heuristic, in English."""
    return _CORRECTION.search(text[:_LOOKED_AT]) is not None
