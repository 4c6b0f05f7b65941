"""Where a cheaper model would have sufficed, by pairs: the same request answered by production and in the shadow.

Unlike a comparison of recordings this has no confounding: nobody chose which of the two models saw a request. What is
compared is failures, not wording; the judge does that.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evolver.analysis.complaints import RECORDS
from evolver.analysis.statistics import tango, tango_tail
from evolver.analysis.values import Suspicion, Thresholds
from policies.outcome import OUTSIDE

Subject = tuple[str, str, str]  # intent, dearer model, cheaper model


@dataclass(frozen=True, slots=True)
class Shadowed:
    """One request as production answered it, and as a candidate did. Costs are US dollars."""

    id: str
    unit: str
    intent: str
    candidate: str
    models: tuple[str, str]  # production's and the candidate's, as the provider named them; "" where it did not
    failures: tuple[str | None, str | None]
    costs_usd: tuple[float, float]


def sufficing(
    pairs: Sequence[Shadowed], limits: Thresholds, rng: np.random.Generator
) -> tuple[list[Suspicion], set[Subject]]:
    """Suspicions that a cheaper model would have done, and every comparison that had enough pairs to be made."""
    named = _models(pairs)
    by_subject: dict[tuple[Subject, str], dict[str, list[Shadowed]]] = defaultdict(lambda: defaultdict(list))
    for pair in pairs:
        cheap = named.get(pair.candidate, "")
        if pair.models[0] and cheap and pair.models[0] != cheap and not OUTSIDE.intersection(pair.failures):
            by_subject[(pair.intent, pair.models[0], cheap), pair.candidate][pair.unit].append(pair)
    found: list[Suspicion] = []
    compared: set[Subject] = set()
    for (subject, candidate), units in sorted(by_subject.items()):
        if len(units) < limits.min_units:
            continue
        drawn = [turns[int(rng.integers(len(turns)))] for _, turns in sorted(units.items())]
        suspicion = _compare(subject, candidate, drawn, limits)
        if suspicion is not None:
            compared.add(subject)
            found.append(suspicion)
    return found, compared


def _models(pairs: Sequence[Shadowed]) -> dict[str, str]:
    """What each candidate's answers came from: an answer that never came names none, and is a failure all the same."""
    names: dict[str, Counter[str]] = defaultdict(Counter)
    for pair in pairs:
        if pair.models[1]:
            names[pair.candidate][pair.models[1]] += 1
    return {candidate: counts.most_common(1)[0][0] for candidate, counts in names.items()}


def _compare(subject: Subject, candidate: str, pairs: Sequence[Shadowed], limits: Thresholds) -> Suspicion | None:
    intent, dear, cheap = subject
    paid, would_pay = (float(np.mean([pair.costs_usd[side] for pair in pairs])) for side in (0, 1))
    if paid <= 0 or would_pay > (1 - limits.cheaper_by) * paid:
        return None
    n = len(pairs)
    worse = [pair for pair in pairs if pair.failures[0] is None and pair.failures[1] is not None]
    better = sum(pair.failures[0] is not None and pair.failures[1] is None for pair in pairs)
    saving = 1 - would_pay / paid
    return Suspicion(
        kind="cheaper_model",
        subject=(*subject, candidate),
        p_value=tango_tail(len(worse), better, n, limits.margin),
        severity=saving / 2,
        summary=f"{cheap} would have sufficed where {dear} serves {intent or 'these requests'}: {saving:.0%} cheaper",
        recommendation=f"Let candidate {candidate} go on to the judge and the canary, which answer for its wording.",
        evidence={
            "method": "paired_shadow",
            "n": n,
            "rate": (len(worse) - better) / n,
            "interval": list(tango(len(worse), better, n)),
            "worse": len(worse),
            "better": better,
            "margin": limits.margin,
            "saving": saving,
            "intent": intent,
            "model": dear,
            "cheaper": cheap,
            "candidate": candidate,
            "terms": [],
            "records": [pair.id for pair in (worse or pairs)[:RECORDS]],
            "excerpts": [],
        },
    )
