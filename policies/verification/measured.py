"""What the stations of a candidate measured: gates and judge, decided again from the values and samples on record."""

from collections.abc import Mapping, Sequence
from typing import Any

from policies.evidence.gates import gauged
from policies.evidence.judgement import LEAST_LABELS, ruled, score_of
from policies.registry.values import Candidate
from policies.verification.report import DiffersError, Report

_DIGITS = 6  # that measured values are stored with


def gates_again(candidate: Candidate, report: Report) -> dict[str, bool]:
    """Whether each gate was passed.

    Raises:
        DiffersError: a value or a result does not follow from the samples.
    """
    gates: Mapping[str, Any] = candidate.stations.get("gates", {})
    return {name: _gate(f"gate {name} of candidate {candidate.id}", name, gates[name], report) for name in gates}


def _gate(record: str, name: str, gate: Mapping[str, Any], report: Report) -> bool:
    value, recorded = gate.get("value"), gate.get("passed")
    if value is None and recorded:
        raise DiffersError(record, "result, of a gate without a value", "passed", "failed")
    try:
        samples, detail = gate["samples"], gate["detail"]
        computed, good = gauged(name, samples, detail)
    except KeyError:
        report.left_out["gates: not verifiable: what their values follow from is not on record"] += 1
        return bool(recorded)
    strange = {*detail.get("worse", ()), *detail.get("better", ())} - set(samples)
    if strange:
        raise DiffersError(record, "samples", sorted(samples), f"{min(strange)} as well")
    passed = computed is not None and good
    for what, kept, found in (("value", value, computed), ("passed", recorded, passed)):
        if kept != found:
            raise DiffersError(record, what, kept, found)
    report.right["gates"] += 1
    return passed


def judged_again(candidate: Candidate, report: Report) -> str | None:
    """The event that the judge's verdicts lead to: `pass`, `fail`, `expire`; "" where judging goes on.

    None where there are no scores, or none that can be checked.

    Raises:
        DiffersError: a score, a bound or the like does not follow from the verdicts on single pairs.
    """
    judge: Mapping[str, Any] = candidate.stations.get("judge", {})
    if "scores" not in judge:
        return None
    record, given = f"judge of candidate {candidate.id}", _labels(judge)
    if given is None or len(judge.get("verdicts", ())) != len(judge["scores"]):
        report.left_out["judge's scores: not verifiable: the verdicts behind them are not on record"] += 1
        return None
    _scores(record, judge)
    found = ruled(
        judge["scores"],
        looks=judge["looks"],
        threshold=judge["threshold"],
        judged=[score for score, _ in given],
        labels=[label for _, label in given],
    )
    for what, value in (("mean", found.mean), ("low", found.low), ("high", found.high)):
        if judge[what] != round(value, _DIGITS):
            raise DiffersError(record, what, judge[what], round(value, _DIGITS))
    report.right["judge's scores"] += 1
    return found.event or ""


def _labels(judge: Mapping[str, Any]) -> Sequence[Sequence[float]] | None:
    """(judge's score, person's label) of the labelled pairs; None where they count and are not on record."""
    calibration = judge.get("calibration") or {"labels": 0, "given": []}
    if "given" in calibration:
        return list(calibration["given"])
    return None if calibration["labels"] >= LEAST_LABELS else []


def _scores(record: str, judge: Mapping[str, Any]) -> None:
    samples, scores = judge["samples"], judge["scores"]
    if len(set(samples)) != len(scores):
        raise DiffersError(record, "pairs", len(set(samples)), len(scores))
    for name, score, winners in zip(samples, scores, judge["verdicts"], strict=True):
        computed = 1.0 if winners is None else score_of(*winners)  # equal answers need no verdict
        if score != computed:
            raise DiffersError(record, f"score of the pair {name}", score, computed)
