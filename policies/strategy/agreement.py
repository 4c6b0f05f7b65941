"""When two answers say the same: each answer becomes a ballot, and equal ballots agree.

| mode        | equal are                                                                                  |
| ----------- | ------------------------------------------------------------------------------------------ |
| `exact`     | texts but for case, spaces and the marks around them                                       |
| `json`      | JSON values: order of keys, spaces and 1 against 1.0 make no difference                    |
| `numeric`   | the last numbers in the texts                                                              |
| `auto`      | JSON values where the text is JSON, else texts as in `exact`                               |
| `embedding` | texts whose embeddings are alike; where one has none, as in `exact`                        |

Calls of tools are compared in every mode: the same names with the same arguments, in whatever order.
"""

import re
from typing import Any, Literal, get_args

import orjson

from policies.outcome.answer import Answer

Mode = Literal["auto", "exact", "json", "numeric", "embedding"]
MODES: tuple[Mode, ...] = get_args(Mode)

_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?")
_MARKS = " \t\r\n.,;:!?\"'`*_()[]"


def ballot(answer: Answer, mode: Mode) -> str | None:
    """What an answer votes for; None where it has nothing of that kind to say."""
    if answer.tool_calls:
        return "calls " + " ".join(sorted(map(_call, answer.tool_calls)))
    match mode:
        case "json":
            return _json(answer.text)
        case "numeric":
            return _number(answer.text)
        case "exact" | "embedding":
            return _exact(answer.text)
        case "auto":
            return _json(answer.text) or _exact(answer.text)


def _exact(text: str) -> str | None:
    words = " ".join(text.casefold().split()).strip(_MARKS)
    return f"text {words}" if words else None


def _number(text: str) -> str | None:
    found = _NUMBER.findall(text)
    return f"number {float(found[-1].replace(',', ''))!r}" if found else None


def _json(text: str) -> str | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return "json " + _canonical(value)


def _call(call: dict[str, str]) -> str:
    try:
        arguments = _canonical(orjson.loads(call["arguments"] or "{}"))
    except orjson.JSONDecodeError:
        arguments = call["arguments"]
    return f"{call['name']}({arguments})"


def _canonical(value: Any) -> str:
    return orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS).decode()


def _plain(value: Any) -> Any:
    """Numbers as floats; a depth that orjson reads, it also writes."""
    match value:
        case bool():
            return value
        case int() | float():
            return float(value)
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
    return value
