"""Topics that fail, and topics that are slow: rates within a topic against what is tolerated and against the rest.

A topic with too few failures to speak of still counts as a test, with a p-value of 1: leaving out what looks
innocent would spoil the bound on false findings.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from evolver.analysis.complaints import RECORDS, excerpts, gather, of_content
from evolver.analysis.statistics import binomial_tail, hypergeometric_tail, newcombe, wilson
from evolver.analysis.topics import Topic, in_turn, one_per_unit
from evolver.analysis.values import Suspicion, Thresholds
from evolver.examples import Example

_REMEDIES = {  # by failure class, where it is that of most answers
    "invalid_tool_call": "Say in the tool instructions which arguments a call must hold, and of which types",
    "invalid_output": "State the form of the answer in the system prompt: its fields, their types, nothing around them",
    "refusal": "Say in the system prompt that such requests are to be served",
}


def failing_topics(topics: Sequence[Topic], limits: Thresholds, rng: np.random.Generator) -> list[Suspicion]:
    """Suspicions that a topic fails too often: absolutely, or more often than all other topics together."""
    drawn = [one_per_unit(topic.examples, rng) for topic in topics]
    bad = [sum(example.bad for example in units) for units in drawn]
    all_units, all_bad = sum(map(len, drawn)), sum(bad)
    return [
        _failing(topic, units, hits, (all_bad, all_units), limits)
        for topic, units, hits in zip(topics, drawn, bad, strict=True)
        if len(units) >= limits.min_units
    ]


def _failing(
    topic: Topic, units: Sequence[Example], bad: int, overall: tuple[int, int], limits: Thresholds
) -> Suspicion:
    all_bad, all_units = overall
    n, elsewhere = len(units), all_units - len(units)
    low, high = wilson(bad, n)
    p_value = binomial_tail(bad, n, limits.tolerated)
    evidence: dict[str, Any] = {
        "n": n,
        "bad": bad,
        "rate": bad / n,
        "interval": [low, high],
        "tolerated": limits.tolerated,
    }
    if elsewhere >= limits.min_units:
        difference = newcombe((bad, all_bad - bad), (n, elsewhere))
        evidence["above_the_rest"] = list(difference)
        # Two looks at one topic, absolute and relative: the better of them pays for both (Bonferroni).
        p_value = min(1.0, 2 * min(p_value, hypergeometric_tail(bad, n, all_bad, all_units)))
    if bad < limits.min_bad:
        p_value = 1.0
    failed = [example for example in topic.examples if example.bad]
    missed = sum(map(of_content, failed))
    kind = "prompt_weakness" if wilson(missed, len(failed))[0] > 0.5 else "repeated_failures"
    return Suspicion(
        kind=kind,
        subject=(topic.intent, topic.model, *sorted(topic.terms[:5])),
        p_value=p_value,
        severity=math.sqrt(low * bad / max(all_bad, 1)),
        summary=f"{bad} of {n} conversations about {topic.label} went wrong on {topic.model or 'the default model'}",
        recommendation=_advice(kind, failed),
        evidence=evidence | _records(topic, failed),
    )


def _advice(kind: str, failed: Sequence[Example]) -> str:
    """What to look at first, by what most of these answers have in common."""
    if kind != "prompt_weakness":
        first = "Look at delivery first (model, limits, provider)"
        return f"{first}: most of these answers failed before their content counted."
    failures = Counter(example.failure for example in failed if example.failed).most_common(1)
    name, count = failures[0] if failures else ("", 0)
    if 2 * count > len(failed) and name in _REMEDIES:
        return f"{_REMEDIES[name]}: that is what was wrong with {count} of these {len(failed)} answers."
    corrected = sum(example.corrected or bool(example.correction) for example in failed)
    if corrected:
        return (
            f"State in the system prompt what users asked for when they corrected {corrected} of these {len(failed)} "
            "answers: their form passed every check, and they were still not what was wanted."
        )
    return "State in the system prompt what these answers miss: their form passed every check, and users rejected them."


def _records(topic: Topic, failed: Sequence[Example]) -> dict[str, Any]:
    failed = in_turn(failed)
    answered = in_turn(example for example in topic.examples if not example.bad and example.answer_text)
    return {
        "intent": topic.intent,
        "model": topic.model,
        "terms": list(topic.terms),
        "records": [example.id for example in failed[:RECORDS]],
        "contrast": [
            example.id for example in sorted(answered, key=lambda one: (not one.good, not one.accepted))[:RECORDS]
        ],
        "complaints": gather(failed),
        "excerpts": excerpts(failed),
    }


def slow_topics(topics: Sequence[Topic], limits: Thresholds, rng: np.random.Generator) -> list[Suspicion]:
    """Suspicions that a topic holds more than its share of a model's slow answers."""
    by_model: dict[str, list[tuple[Topic, list[Example]]]] = defaultdict(list)
    for topic in topics:
        timed = [example for example in one_per_unit(topic.examples, rng) if example.latency_ms > 0 and example.answer]
        by_model[topic.model].append((topic, timed))
    found = []
    for members in by_model.values():
        latencies = [example.latency_ms for _, timed in members for example in timed]
        if not latencies:
            continue
        slow_ms = limits.slow_factor * float(np.median(latencies))
        overall = sum(latency > slow_ms for latency in latencies), len(latencies)
        found += [s for topic, timed in members if (s := _slow(topic, timed, slow_ms, overall, limits)) is not None]
    return found


def _slow(
    topic: Topic, timed: Sequence[Example], slow_ms: float, overall: tuple[int, int], limits: Thresholds
) -> Suspicion | None:
    slow = sorted((one for one in timed if one.latency_ms > slow_ms), key=lambda one: -one.latency_ms)
    n, elsewhere = len(timed), overall[1] - len(timed)
    if min(n, elsewhere) < limits.min_units or not slow:
        return None
    low, high = wilson(len(slow), n)
    return Suspicion(
        kind="latency_outliers",
        subject=(topic.intent, topic.model, *sorted(topic.terms[:5])),
        p_value=hypergeometric_tail(len(slow), n, *overall) if len(slow) >= limits.min_bad else 1.0,
        severity=math.sqrt(low * len(slow) / overall[0]) / 2,
        summary=f"{len(slow)} of {n} answers about {topic.label} took longer than {slow_ms:.0f} ms on {topic.model}",
        recommendation="Ask for shorter answers, lower max_tokens, or let a faster model serve this topic.",
        evidence={
            "n": n,
            "rate": len(slow) / n,
            "interval": [low, high],
            "slow_ms": slow_ms,
            "intent": topic.intent,
            "model": topic.model,
            "terms": list(topic.terms),
            "records": [example.id for example in slow[:RECORDS]],
            "excerpts": excerpts(slow),
        },
    )
