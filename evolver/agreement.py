"""How far a fresh answer agrees with what is known to be right, where that can be told without a model.

Known right is an answer that a user scored 1, or the correction that a user gave. Only short answers, JSON and tool
calls are compared: two good pieces of prose need not look alike, so for them there is no number.
"""

import re
from typing import Any

import orjson

from evolver.examples import Example
from policies.outcome import Answer

SHORT = 64  # characters; longer text is prose
_SPACE = re.compile(r"\s+")
_FENCE = re.compile(r"^```\w*\n(.*?)\n?```$", re.DOTALL)


def normalise(text: str) -> str:
    """Without surrounding and repeated space, case, code fences and a final full stop; JSON in canonical form."""
    stripped = text.strip()
    fenced = _FENCE.match(stripped)
    stripped = fenced.group(1).strip() if fenced else stripped
    value = _json(stripped)
    if value is not None:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return _SPACE.sub(" ", stripped).casefold().rstrip(".")


def agreement(example: Example, answer: Answer) -> float | None:
    """0..1, or None where nothing is known to be right or it can't be compared."""
    if example.correction:
        return _compare(example.correction, answer.text)
    if not example.good:
        return None
    calls = (example.answer or {}).get("tool_calls")
    if calls:
        return 1.0 if _calls(calls) == _calls(answer.tool_calls) else 0.0
    return _compare(example.answer_text, answer.text)


def _compare(right: str, given: str) -> float | None:
    wanted = _json(right)
    if wanted is not None:
        return _fields(wanted, _json(given))
    if not right.strip() or len(right) > SHORT:
        return None
    return 1.0 if normalise(right) == normalise(given) else 0.0


def _fields(wanted: dict[str, Any] | list[Any], given: Any) -> float:
    """The share of the wanted object's fields that are the same."""
    if not isinstance(wanted, dict) or not isinstance(given, dict) or not wanted:
        return float(wanted == given)
    same = sum(key in given and given[key] == value for key, value in wanted.items())
    return float(same / len(wanted))


def _json(text: str) -> dict[str, Any] | list[Any] | None:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict | list) else None


def _calls(calls: list[Any]) -> list[tuple[str, Any]]:
    found = []
    for call in calls:
        inner = call.get("function", call)
        arguments = inner.get("arguments")
        found.append((str(inner.get("name")), _json(arguments) if isinstance(arguments, str) else arguments))
    return found
