"""The reflection model: proposes rules from failures, with the omissions and the bloat of real ones."""

import html
import re
from collections import Counter
from dataclasses import dataclass
from random import Random

import orjson

from gateway.sandbox.families import recognise
from gateway.sandbox.judge import section
from gateway.sandbox.paraphrases import PARAPHRASES
from gateway.sandbox.rules import RULES, Reading, read_text
from gateway.sandbox.worlds import World

OPENING = "You improve the rules of a system prompt."
_RULE = re.compile(r'<rule id="(?P<id>[^"]*)">(?P<text>.*?)</rule>', re.DOTALL)
_EXAMPLE = re.compile(r"<example>(.*?)</example>", re.DOTALL)
_BLOAT = (
    " Keep in mind that users value accuracy, consistency and a professional attitude at all times.",
    " This matters because downstream processes depend on the quality of what is delivered to them.",
    " Consider the whole context of the conversation, and remember that every detail may be relevant.",
)
_FILLERS = (
    "Be helpful, accurate and professional.",
    "Read the request twice before answering it.",
    "Pay attention to detail and double-check the output.",
    "Stay polite, and adapt to the needs of the user.",
)
_FEWEST, _MOST = 3, 5


@dataclass(frozen=True, slots=True)
class ReflectionTraits:
    """Faults of a reflection model, as probabilities."""

    omission: float = 0.15  # overlooks what a group of failures has in common
    bloat: float = 0.25  # adds a sentence that says nothing


Patch = dict[str, str]


def patches(world: World, text: str, rng: Random, traits: ReflectionTraits) -> str:
    """The reply to a user text with `<current_rules>` and `<failures>`: JSON as the prompt asks, 3-5 patches."""
    current = {rule["id"]: html.unescape(rule["text"]) for rule in _RULE.finditer(section_raw(text, "current_rules"))}
    readings = {name: read_text(rule, "open") for name, rule in current.items()}
    blamed = _diagnose(world, section_raw(text, "failures"))
    found: list[Patch] = []
    for rule, count in blamed.most_common():
        if len(found) < _MOST and rng.random() >= traits.omission:
            found += _remedy(rule, count, readings, rng, traits)
    fillers = rng.sample(_FILLERS, _FEWEST)
    found += [
        _patch("add", "", filler, "General care reduces mistakes.")
        for filler in fillers[: max(0, _FEWEST - len(found))]
    ]
    return orjson.dumps({"patches": found[:_MOST]}).decode()


def _remedy(rule: str, count: int, readings: dict[str, Reading], rng: Random, traits: ReflectionTraits) -> list[Patch]:
    """A patch for one cause: contradicted rules are replaced, missing ones added, none where it is stated already."""
    words = rng.choice(PARAPHRASES[rule].phrasings)
    if rng.random() < traits.bloat:
        words += rng.choice(_BLOAT)
    culprit = next((name for name, read in readings.items() if rule in read.contradicts), None)
    why = f"{count} of the failures come from {RULES[rule].family} requests whose answers do not keep to this."
    if culprit is not None:
        return [_patch("replace", culprit, words, f"The present rule demands the opposite. {why}")]
    if any(rule in read.supports for read in readings.values()):
        return []
    return [_patch("add", "", words, why)]


def _diagnose(world: World, failures: str) -> Counter[str]:
    """Hidden rules by the number of failures they would have prevented: as complaints say, else by answer and task."""
    blamed: Counter[str] = Counter()
    for example in _EXAMPLE.findall(failures):
        complaint = read_text(section(example, "complaint"), "open").supports
        problem = recognise(world, section(example, "input"))
        if complaint:
            blamed.update(sorted(complaint))
        elif problem is not None:
            blamed.update(problem.rules[:1])
    return blamed


def section_raw(text: str, tag: str) -> str:
    """What stands between the tags, escapes left alone, because more tags stand inside."""
    found = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return found[1] if found else ""


def _patch(op: str, rule_id: str, text: str, explanation: str) -> Patch:
    return {"op": op, "rule_id": rule_id, "text": text, "explanation": explanation}
