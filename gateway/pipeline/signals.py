"""What a request says about the one before it in the same conversation.

| kind       | when                                                               | used for            |
| ---------- | ------------------------------------------------------------------ | ------------------- |
| tool_error | it brings results of the answer's tool calls, one of them an error | analysis            |
| tool_ok    | it brings results, none of them an error                           | analysis            |
| retry      | the same question again within five minutes                        | analysis, learnings |
| correction | a next turn whose words reject the answer                          | analysis, learnings |

Acceptance (a next turn that is none of these, or a label "up") is read off the recordings and needs no frame, and so
are refusals, which are a failure class. Rewards take explicit feedback only: a user's next words are too weak a sign
to move traffic by. Words are read in English, errors of tools in the forms that the usual libraries give them.
"""

import re
from typing import Any, Final, Literal

from gateway.pipeline.recent import Recent
from policies.render import content_text

RETRY_WITHIN_S: Final = 300.0
_LOOKED_AT: Final = 240
_RESULT_LOOKED_AT: Final = 400

Kind = Literal["retry", "correction", "tool_ok", "tool_error"]

_CORRECTION: Final = re.compile(
    r"^\W*(?:"
    r"no[,.!]|nope\b|wrong\b|incorrect\b|not what i\b|that(?:'s| is|s) (?:not|wrong|incorrect)\b"
    r"|this is (?:wrong|not)\b|i (?:meant|said|asked)\b|you (?:misunderstood|missed|forgot|ignored)\b"
    r"|try again\b|actually,? (?:i|no|it)\b"
    r")|\bi meant\b|\bthat(?:'s| is) (?:wrong|incorrect|not (?:right|correct|what))\b",
    re.IGNORECASE,
)
_ERROR: Final = re.compile(
    r"^[\s*#(<-]*(?:error\b|[\w.]*(?:error|exception):|exception\b|traceback \(most|failed\b|fatal:|timed out\b"
    r"|timeout\b|(?:http )?(?:status )?[45]\d\d (?:[a-z]+ )*"
    r"(?:error|found|request|unauthorized|forbidden|unavailable|timeout))"
    r'|"(?:error|errors|exception)"\s*:\s*+(?!null\b|false\b|""|\[\s*\]|\{\s*\}|0\b)\S'
    r'|"is_?error"\s*:\s*true\b|"(?:success|ok)"\s*:\s*false\b|"status"\s*:\s*"(?:error|fail(?:ed|ure)?)"',
    re.IGNORECASE,
)


def observe(before: Recent, *, turn: int, text: str, said: int, now: float, results: list[bool]) -> Kind | None:
    """What a request says about the one before it; `results` as `tool_results` gives them."""
    if results:  # the conversation goes on by itself: the user has said nothing new
        return "tool_error" if any(results) else "tool_ok"
    if said == before.said:
        return "retry" if now - before.at <= RETRY_WITHIN_S else None
    if turn > before.turn and is_correction(text):
        return "correction"
    return None


def is_correction(text: str) -> bool:
    """Whether a user's words reject the answer before them. A heuristic, in English."""
    return _CORRECTION.search(text[:_LOOKED_AT]) is not None


def tool_results(body: dict[str, Any], last: int | None) -> list[bool]:
    """Of each tool result that a request ends with, whether it reports an error; `last`: place of the user's words."""
    turns = body.get("messages") or body.get("input")
    found: list[bool] = []
    if type(turns) is not list:
        return found
    for place in range(len(turns) - 1, -1 if last is None else last, -1):
        results = _results(turns[place])
        if not results:
            break
        found += results
    return found


def is_tool_error(text: str) -> bool:
    """Whether a tool's result reports that the call failed. A heuristic."""
    return _ERROR.search(text[:_RESULT_LOOKED_AT]) is not None


def _results(item: Any) -> list[bool]:
    """Of one message or item; empty where it is no tool result."""
    if type(item) is not dict:
        return []
    if item.get("role") == "tool":
        return [is_tool_error(content_text(item.get("content")))]
    if item.get("type") == "function_call_output":
        return [is_tool_error(content_text(item.get("output")))]
    content = item.get("content")
    blocks = content if type(content) is list else []
    return [_is_error(block) for block in blocks if type(block) is dict and block.get("type") == "tool_result"]


def _is_error(block: dict[str, Any]) -> bool:
    return block.get("is_error") is True or is_tool_error(content_text(block.get("content")))
