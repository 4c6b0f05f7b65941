"""Memory gaps: topics that fail where retrieval brought up nothing, or nothing that was near.

Near is what scores at least half of what retrieval usually brings up for answers that went well. Requests that an entry
was held out of at random are left out: there it is known what was missing. Where nothing is retrieved at all there is
nothing to compare, and failing topics are found as such.
"""

import math
from collections.abc import Sequence

import numpy as np

from evolver.analysis.complaints import RECORDS, excerpts, gather, of_content
from evolver.analysis.statistics import binomial_tail, hypergeometric_tail, newcombe, wilson
from evolver.analysis.topics import Topic, one_per_unit
from evolver.analysis.values import Suspicion, Thresholds
from evolver.examples import Example

NEAR = 0.5  # of the median score behind good answers


def memory_gaps(topics: Sequence[Topic], limits: Thresholds, rng: np.random.Generator) -> list[Suspicion]:
    """Suspicions that a topic lacks entries: it fails too often without them, or more often than with."""
    whole = [one for topic in topics for one in topic.examples if not _held_out(one)]
    scores = [_best(one) for one in whole if one.memory and not one.bad]
    if not scores:
        return []
    floor = NEAR * float(np.median(scores))
    covered = one_per_unit((one for one in whole if _best(one) >= floor), rng)
    against = sum(map(of_content, covered)), len(covered)
    bare = [[one for one in topic.examples if not _held_out(one) and _best(one) < floor] for topic in topics]
    drawn = [one_per_unit(examples, rng) for examples in bare]
    return [
        _gap(topic, units, examples, floor, against, limits)
        for topic, units, examples in zip(topics, drawn, bare, strict=True)
        if len(units) >= limits.min_units
    ]


def _best(example: Example) -> float:
    return max(example.memory.values(), default=0.0)


def _held_out(example: Example) -> bool:
    return any(score < 0.0 for score in example.memory.values())


def _gap(  # noqa: PLR0917 - a topic, and what it is held against
    topic: Topic,
    units: Sequence[Example],
    examples: Sequence[Example],
    floor: float,
    covered: tuple[int, int],
    limits: Thresholds,
) -> Suspicion:
    n, bad = len(units), sum(map(of_content, units))
    low, high = wilson(bad, n)
    p_value = binomial_tail(bad, n, limits.tolerated)
    evidence = {"n": n, "bad": bad, "rate": bad / n, "interval": [low, high], "near": floor}
    if covered[1] >= limits.min_units:
        evidence["above_the_covered"] = list(newcombe((bad, covered[0]), (n, covered[1])))
        # Two looks at one topic, by itself and beside what memory covers: the better pays for both (Bonferroni).
        relative = hypergeometric_tail(bad, n, bad + covered[0], n + covered[1])
        p_value = min(1.0, 2 * min(p_value, relative))
    failed = [example for example in examples if of_content(example)]
    return Suspicion(
        kind="memory_gap",
        subject=(topic.intent, *sorted(topic.terms[:5])),
        p_value=p_value if bad >= limits.min_bad else 1.0,
        severity=math.sqrt(low * n / max(n + covered[1], 1)),
        summary=f"{bad} of {n} conversations about {topic.label} went wrong with nothing near in memory",
        recommendation="Add what these answers lacked to the memory, or words by which it is found.",
        evidence=evidence
        | {
            "intent": topic.intent,
            "model": topic.model,
            "terms": list(topic.terms),
            "records": [example.id for example in failed[:RECORDS]],
            "contrast": [example.id for example in examples if not example.bad][:RECORDS],
            "complaints": gather(failed),
            "excerpts": excerpts(failed),
        },
    )
