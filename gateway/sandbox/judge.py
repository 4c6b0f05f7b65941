"""The judge: compares two answers by the truth it can recover from the request, with the faults of real judges."""

import html
import re
from dataclasses import dataclass
from random import Random

import orjson

from gateway.sandbox.families import recognise
from gateway.sandbox.families.base import Problem, loads_object
from gateway.sandbox.worlds import World

OPENING = "You compare two answers to one request."
_TIE = 0.15  # scores that differ by less can't be told apart


@dataclass(frozen=True, slots=True)
class JudgeTraits:
    """Faults of a judge, on the scale of scores from 0 to 1."""

    position_bias: float = 0.03  # added to whichever answer stands first
    noise: float = 0.05  # standard deviation of what is added to each score


def verdict(world: World, text: str, rng: Random, traits: JudgeTraits) -> str:
    """The judge's reply to a user text with `<request>`, `<answer_a>` and `<answer_b>`: JSON as the prompt asks."""
    request, first, second = (section(text, name) for name in ("request", "answer_a", "answer_b"))
    problem = recognise(world, request)
    lead = _score(problem, first) - _score(problem, second)
    noisy = lead + traits.position_bias + rng.gauss(0.0, traits.noise) - rng.gauss(0.0, traits.noise)
    winner = "tie" if abs(noisy) < _TIE else "A" if noisy > 0 else "B"
    return orjson.dumps({"winner": winner, "reason": _REASONS[winner]}).decode()


_REASONS = {
    "A": "Answer A is what the request needs; answer B is wrong or in a form that can't be used.",
    "B": "Answer B is what the request needs; answer A is wrong or in a form that can't be used.",
    "tie": "Both answers serve the request equally.",
}


def section(text: str, tag: str) -> str:
    """What stands between the tags, XML escapes undone; empty where the tag is missing."""
    found = re.search(rf"<{tag}>(.*)</{tag}>", text, re.DOTALL)
    return html.unescape(found[1]).strip() if found else ""


def _score(problem: Problem | None, answer: str) -> float:
    """The application's score; where no truth can be recovered, any answer is as good as another but an empty one."""
    if problem is None:
        return float(bool(answer.strip()))
    text, calls = _calls(answer)
    return problem.score(text, calls)


def _calls(answer: str) -> tuple[str, list[dict[str, object]]]:
    """Tool calls written out as JSON in an answer: one object or a list, or under `tool_calls`; and the text."""
    try:
        value = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return _embedded_call(answer)
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        return str(value.get("text") or value.get("content") or ""), [
            c for c in value["tool_calls"] if isinstance(c, dict)
        ]
    calls = value if isinstance(value, list) else [value]
    if calls and all(isinstance(call, dict) and ("arguments" in call or "function" in call) for call in calls):
        return "", calls
    return answer, []


def _embedded_call(answer: str) -> tuple[str, list[dict[str, object]]]:
    """Calls on lines of their own, as `name({...})` or as JSON objects."""
    calls: list[dict[str, object]] = []
    for line in answer.splitlines():
        found = re.search(r"(\w+)\((\{.*\})\)\s*$", line)
        if found:
            calls.append({"name": found[1], "arguments": found[2]})
        elif (value := loads_object(line.strip())) is not None and ("arguments" in value or "function" in value):
            calls.append(value)
    return ("", calls) if calls else (answer, [])
