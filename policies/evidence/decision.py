"""The breaker's decision as a value: a verdict, the numbers behind it, and one sentence for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from policies.evidence.breaker import FINAL, SUSPECT_FROM, SUSPECT_UNTIL, Verdict, literal_ratio
from policies.evidence.channels import BY_NAME
from policies.evidence.noharm import Rho
from policies.evidence.view import View


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about a candidate, and why. `evidence` is JSON-able.

    `heuristic` marks a SUSPECT that rests on a run of failures rather than on an e-value.
    """

    verdict: Verdict
    heuristic: bool
    evidence: dict[str, Any]
    summary: str

    @property
    def rolls_back(self) -> bool:
        """TRIP and SEVERE take the candidate back for good."""
        return self.verdict in FINAL


@dataclass(frozen=True, slots=True)
class Terms:
    """What stays the same from one decision of an experiment to the next."""

    experiment: str
    alpha: float
    ratio: float
    window_s: float


def describe(
    verdict: Verdict,
    views: Sequence[View],
    terms: Terms,
    *,
    now: float,
    writers: int,
    run: int,
    runaway: bool,
    classes: Mapping[str, Sequence[int]],
) -> Decision:
    """The decision's value; the view with the largest e-value (relative to its threshold) speaks for it."""
    view = max(views, key=lambda v: v.e_value(1) / v.threshold)
    heuristic = verdict == "SUSPECT" and runaway and view.e_value(1) < SUSPECT_FROM
    ratio = view.ratio()
    evidence = {
        "experiment": terms.experiment,
        "at": now,
        "basis": view.basis,
        "writers": writers,
        **({"watermarks": view.watermarks} if view.watermarks else {}),
        "e_values": view.e_values(),
        "counts": {name: total.counts.to_dict() for name, total in view.totals.items()},
        "window": {name: counts.to_dict() for name, counts in view.windows.items()},
        "window_s": terms.window_s,
        "ratio": ratio if isfinite(ratio) else None,  # None: production had no failure
        "literal": {"limit": terms.ratio, "exceeded": ratio > terms.ratio, "ratios": _ratios(view)},
        "run": run,
        "classes": {name: {"production": n[0], "challenger": n[1]} for name, n in classes.items()},
        "thresholds": {
            "alpha": terms.alpha,
            "trip": view.threshold,
            "suspect_from": SUSPECT_FROM,
            "suspect_until": SUSPECT_UNTIL,
            "ratio": terms.ratio,
        },
    }
    return Decision(verdict, heuristic, evidence, _sentence(verdict, view, terms, run if heuristic else 0))


def _ratios(view: View) -> dict[str, float | None]:
    """The literal rule's own figures by channel, to stand beside the evidence."""
    return {name: ratio if isfinite(ratio) else None for name, ratio in view.ratios().items()}


_OPENINGS: dict[Verdict, str] = {
    "CLEAR": "Nothing proves the candidate harmful",
    "SUSPECT": "The candidate is suspect and keeps the smallest share",
    "TRIP": "The candidate is rolled back, it fails more often than production",
    "SEVERE": "The candidate is rolled back, it fails more than twice as often as production",
}


def _sentence(verdict: Verdict, view: View, terms: Terms, run: int) -> str:
    channel = view.leading()
    window = view.windows[channel]
    parts = [_rate(window.failures[arm], window.units[arm]) for arm in (True, False)]
    span = f"{terms.window_s / 60:.0f} min" if terms.window_s >= 60 else f"{terms.window_s:.0f} s"
    counts = (
        f"{parts[0]} against production's {parts[1]} in the last {span} "
        f"({BY_NAME[channel].plural}{_times(literal_ratio(window))})"
    )
    if run:
        return f"{_OPENINGS[verdict]}: {run} failures in a row that production does not share (heuristic); {counts}."
    rho: Rho = 2 if verdict == "SEVERE" else 1
    return f"{_OPENINGS[verdict]}: {counts}, e-value {view.e_value(rho):.3g} of the {view.threshold:.0f} needed."


def _rate(failures: int, units: int) -> str:
    return f"{failures} failures of {units}" + (f" ({failures / units:.1%})" if units else "")


def _times(ratio: float) -> str:
    return f", {ratio:.1f} times" if ratio > 0.0 and isfinite(ratio) else ""
