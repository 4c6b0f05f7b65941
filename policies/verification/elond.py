"""e-LOND along a policy's stream of candidates: places without a gap, and each promotion above its own threshold."""

from collections.abc import Sequence
from math import inf

from policies.evidence import threshold
from policies.registry.values import Experiment
from policies.verification.report import DiffersError, Report
from policies.verification.terms import Timeline

_DIGITS = 3  # that a threshold is stored with


def automatic(experiment: Experiment) -> bool:
    """Promoted on evidence, as one of the stream: an operator's override counts neither way."""
    return experiment.verdict == "PROMOTE" and experiment.ordinal > 0 and "override" not in experiment.evidence


def check_stream(experiments: Sequence[Experiment], timeline: Timeline, report: Report) -> None:
    """Check one policy's stream.

    Raises:
        DiffersError: a place is missing or taken twice, or a threshold does not come out again.
    """
    counted = sorted((e for e in experiments if e.ordinal > 0), key=lambda e: e.ordinal)
    for place, experiment in enumerate(counted, 1):
        if experiment.ordinal != place:
            raise DiffersError(f"experiment {experiment.id}", "place in the stream", experiment.ordinal, place)
    for experiment in filter(automatic, counted):
        _check_threshold(experiment, experiments, timeline, report)


def promotions_before(experiment: Experiment, experiments: Sequence[Experiment]) -> int:
    """Automatic promotions at the moment at which that one was decided: until now where it still runs."""
    until = experiment.ended_at or inf
    return sum(automatic(e) and e.id != experiment.id and (e.ended_at or 0.0) < until for e in experiments)


def _check_threshold(
    experiment: Experiment, experiments: Sequence[Experiment], timeline: Timeline, report: Report
) -> None:
    recorded = experiment.evidence.get("threshold")
    terms = timeline.between(experiment.started_at, experiment.ended_at or experiment.started_at)
    if not terms or recorded is None:
        report.left_out["thresholds: their terms are not on record"] += 1
        return
    before = promotions_before(experiment, experiments)
    computed = [round(threshold(experiment.ordinal, before, each.fdr), _DIGITS) for each in terms]
    if recorded not in computed:
        raise DiffersError(f"experiment {experiment.id}", "e-LOND threshold", recorded, computed[0])
    report.right["thresholds"] += 1
