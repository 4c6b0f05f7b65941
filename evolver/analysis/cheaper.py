"""Where a cheaper model may suffice: topics that two models served, compared topic by topic.

Recordings are observational: who chose the model may have known why. So topics are matched (direct standardisation
to the dearer model's traffic), nothing is said without overlap, and the finding asks for a trial in the shadow.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from evolver.analysis.complaints import RECORDS
from evolver.analysis.shadowed import Subject
from evolver.analysis.statistics import Z95
from evolver.analysis.topics import Topic, one_per_unit
from evolver.analysis.values import Suspicion, Thresholds
from evolver.examples import Example


@dataclass(frozen=True, slots=True)
class _Pair:
    """One topic as served by a dearer and a cheaper model."""

    dear: list[Example]
    cheap: list[Example]


def cheaper_models(
    topics: Sequence[Topic], limits: Thresholds, rng: np.random.Generator, settled: AbstractSet[Subject] = frozenset()
) -> list[Suspicion]:
    """Suspicions that one model may take another's place, per intent; `topics` mix the models.

    Comparisons that pairs from the shadow have `settled` are left out: theirs is the better evidence.
    """
    shared: dict[tuple[str, str, str], list[_Pair]] = defaultdict(list)
    for topic in topics:
        by_model: dict[str, list[Example]] = defaultdict(list)
        for example in one_per_unit(topic.examples, rng):
            by_model[example.model].append(example)
        enough = sorted(model for model, units in by_model.items() if len(units) >= limits.min_units)
        for dear, cheap in permutations(enough, 2):
            shared[topic.intent, dear, cheap].append(_Pair(by_model[dear], by_model[cheap]))
    left = {subject: pairs for subject, pairs in sorted(shared.items()) if subject not in settled}
    found = (_compare(intent, dear, cheap, pairs, limits) for (intent, dear, cheap), pairs in left.items())
    return [suspicion for suspicion in found if suspicion is not None]


def _compare(intent: str, dear: str, cheap: str, pairs: list[_Pair], limits: Thresholds) -> Suspicion | None:
    weights = np.array([len(pair.dear) for pair in pairs], dtype=np.float64)
    weights /= weights.sum()
    paid, would_pay = (
        float(sum(w * _mean_cost(units) for w, units in zip(weights, side, strict=True)))
        for side in ([pair.dear for pair in pairs], [pair.cheap for pair in pairs])
    )
    if paid <= 0 or would_pay > (1 - limits.cheaper_by) * paid:
        return None
    difference, error = _more_failures(pairs, weights)
    interval = difference - Z95 * error, difference + Z95 * error
    saving = 1 - would_pay / paid
    units = [example for pair in pairs for example in pair.cheap]
    return Suspicion(
        kind="cheaper_model",
        subject=(intent, dear, cheap),
        p_value=0.5 * math.erfc((limits.margin - difference) / error / math.sqrt(2)),
        severity=saving / 2,
        summary=f"{cheap} may suffice where {dear} serves {intent or 'these requests'}: {saving:.0%} cheaper",
        recommendation=f"Try {cheap} in place of {dear} in the shadow; recordings alone can't settle it.",
        evidence={
            "method": "observational",
            "n": len(units),
            "rate": difference,
            "interval": list(interval),
            "saving": saving,
            "intent": intent,
            "model": dear,
            "cheaper": cheap,
            "terms": [],
            "records": [example.id for example in units[:RECORDS]],
            "excerpts": [],
        },
    )


def _mean_cost(units: Sequence[Example]) -> float:
    return float(np.mean([example.cost_usd for example in units]))


def _more_failures(pairs: list[_Pair], weights: np.ndarray) -> tuple[float, float]:
    """Standardised excess failure rate of the cheaper model and its standard error.

    Each rate is shrunk as by Agresti and Caffo (2000), one good and one bad added, so that no failures in a few
    conversations do not pass for certainty.
    """
    difference, variance = 0.0, 0.0
    for pair, weight in zip(pairs, weights, strict=True):
        for sign, units in ((1, pair.cheap), (-1, pair.dear)):
            n = len(units) + 2
            rate = (sum(example.bad for example in units) + 1) / n
            difference += sign * weight * rate
            variance += weight**2 * rate * (1 - rate) / n
    return float(difference), math.sqrt(variance)
