"""Models and tools that have become worse: change detection on failure rates and on quantiles of latency.

Each subject's outcomes are split in time at a few places; before and after are compared by Fisher's exact test on
"failed", "slower than the subject's own median" and "slower than its 90th percentile". That is exact where nothing
has changed (outcomes are exchangeable in time), for any distribution of latency; the looks are paid for by Bonferroni.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evolver.analysis.complaints import RECORDS, excerpts
from evolver.analysis.statistics import hypergeometric_tail, newcombe, wilson
from evolver.analysis.topics import one_per_unit
from evolver.analysis.values import Suspicion, Thresholds
from evolver.examples import Example

CUTS = (1 / 2, 2 / 3, 5 / 6, 11 / 12)  # where the past may end and the present begin
QUANTILES = (0.5, 0.9)


def degrading(examples: Sequence[Example], limits: Thresholds, rng: np.random.Generator) -> list[Suspicion]:
    """Suspicions that a model or a tool fails more, or answers more slowly, than it used to."""
    subjects: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for example in examples:
        subjects["degrading_model", example.model].append(example)
        for tool in set(_tools(example)):
            subjects["degrading_tool", tool].append(example)
    found = []
    for (kind, name), members in sorted(subjects.items()):
        units = sorted(one_per_unit(members, rng), key=lambda example: (example.at, example.id))
        suspicion = _worst(kind, name, units, limits)
        if suspicion is not None:
            found.append(suspicion)
    return found


def _tools(example: Example) -> Iterator[str]:
    calls = (example.answer or {}).get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        name = call.get("name") if isinstance(call, dict) else None
        if isinstance(name, str):
            yield name


def _worst(kind: str, name: str, units: Sequence[Example], limits: Thresholds) -> Suspicion | None:
    """The strongest sign among all cuts and measures; None where there is too little to look at."""
    looks = [
        _Look(measure, marks, timed, int(len(timed) * cut))
        for measure, marks, timed in _measures(kind, units)
        for cut in CUTS
        if len(timed) * min(cut, 1 - cut) >= limits.min_units
    ]
    if not looks:
        return None
    p_values = [look.p_value(limits) for look in looks]
    best = int(np.argmin(p_values))
    return _suspicion(kind, name, looks[best], min(1.0, len(looks) * p_values[best]))


def _measures(kind: str, units: Sequence[Example]) -> Iterator[tuple[str, NDArray[np.bool_], Sequence[Example]]]:
    failed = [example.failed or (kind == "degrading_tool" and example.tool_failed) for example in units]
    yield "failures", np.array(failed, dtype=bool), units
    timed = [example for example in units if example.latency_ms > 0 and not example.failed]
    latencies = np.array([example.latency_ms for example in timed])
    for quantile in QUANTILES if timed else ():
        yield f"p{quantile * 100:.0f}", latencies > np.quantile(latencies, quantile), timed


@dataclass(frozen=True, slots=True)
class _Look:
    """One measure, marked on conversations in time order, before and after one place."""

    measure: str
    marks: NDArray[np.bool_]
    units: Sequence[Example]
    cut: int

    @property
    def counts(self) -> tuple[int, int]:
        """Marked conversations after the cut, and before it."""
        return int(self.marks[self.cut :].sum()), int(self.marks[: self.cut].sum())

    @property
    def sizes(self) -> tuple[int, int]:
        return len(self.units) - self.cut, self.cut

    @property
    def difference(self) -> tuple[float, float]:
        return newcombe(self.counts, self.sizes)

    @property
    def slowdown(self) -> float:
        """The latency quantile after the cut over that before it."""
        latencies = np.array([example.latency_ms for example in self.units])
        quantile = float(self.measure[1:]) / 100
        return float(np.quantile(latencies[self.cut :], quantile) / np.quantile(latencies[: self.cut], quantile))

    def p_value(self, limits: Thresholds) -> float:
        """Fisher's exact test; 1 where the change is too small to be worth a word."""
        after, before = self.counts
        if self.measure == "failures":
            matters = after >= limits.min_bad and self.difference[0] > limits.worse_by
        else:
            matters = self.difference[0] > 0 and self.slowdown >= limits.slower_by
        return hypergeometric_tail(after, self.sizes[0], after + before, len(self.units)) if matters else 1.0

    def describe(self) -> tuple[str, float]:
        """The change in words, and its severity 0..1."""
        if self.measure == "failures":
            low = max(0.0, self.difference[0])
            return f"failures rose by at least {low:.1%}", min(1.0, low * 2)
        ratio = self.slowdown
        return f"{self.measure} latency is {ratio:.2g} times what it was", min(1.0, max(0.0, math.log2(ratio)) / 4)


def _suspicion(kind: str, name: str, look: _Look, p_value: float) -> Suspicion:
    what = "model" if kind == "degrading_model" else "tool"
    change, severity = look.describe()
    (after, _), (n, _) = look.counts, look.sizes
    recent = [one for one, mark in zip(look.units[look.cut :], look.marks[look.cut :], strict=True) if mark]
    return Suspicion(
        kind=kind,
        subject=(name, look.measure),
        p_value=p_value,
        severity=severity,
        summary=f"{what} {name}: {change} in the latest {n} of {len(look.units)} conversations",
        recommendation=f"Check the {what}'s provider; try another one in the shadow while it lasts.",
        evidence={
            "n": n,
            "rate": after / n,
            "interval": list(wilson(after, n)),
            "difference": list(look.difference),
            "measure": look.measure,
            "since": look.units[look.cut].at,
            what: name,
            "terms": [],
            "records": [example.id for example in recent[:RECORDS]],
            "excerpts": excerpts(recent),
        },
    )
