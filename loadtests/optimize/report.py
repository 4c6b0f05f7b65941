"""The runs as Markdown tables."""

from collections.abc import Sequence

import numpy as np

from loadtests.evidence.report import table
from loadtests.optimize.compare import Interval, Run, interval, paired

OURS = "EvoGate search"


def tables(found: Sequence[Run]) -> str:
    """One table a world: the true score by calls, and over all of them what was claimed, overspent, won and lost."""
    worlds = dict.fromkeys(run.world for run in found)
    return "\n\n".join(_world([run for run in found if run.world == world], world) for world in worlds)


def _world(found: Sequence[Run], world: str) -> str:
    calls = sorted({run.calls for run in found})
    seeds = len({run.seed for run in found})
    base = interval([run.base for run in found])
    title = (
        f"{world}: true score of what was returned, {seeds} seeds, mean and 95 % interval; production scores "
        f"{base.mean:.3f}. On simulated outcomes, equal calls."
    )
    head = ["optimizer", *(f"{n} calls" for n in calls), "mean", "claimed - true", "overshoot", f"{OURS} - it", "w/t/l"]
    return f"{title}\n\n" + table(
        head, [_row(found, name, calls) for name in dict.fromkeys(r.optimizer for r in found)]
    )


def _row(found: Sequence[Run], name: str, calls: Sequence[int]) -> list[str]:
    own = [run for run in found if run.optimizer == name]
    claims = [run for run in own if not np.isnan(run.reported)]
    by_run = {seed: [r.reported - r.true for r in claims if r.seed == seed] for seed in {r.seed for r in claims}}
    claimed_by_seed = [float(np.mean(values)) for values in by_run.values()]
    by_seed = paired(found, OURS, name) if name != OURS else {}
    means = [float(np.mean(values)) for values in by_seed.values()]  # runs of one seed are not independent
    differences = [value for values in by_seed.values() for value in values]
    by_calls = (_said(interval([run.true for run in own if run.calls == n])) for n in calls)
    return [
        name,
        *by_calls,
        f"{np.mean([run.true for run in own]):.3f}",
        _said(interval(claimed_by_seed), sign="+") if claimed_by_seed else "-",
        str(max(run.overshoot for run in own)),
        _said(interval(means), sign="+") if means else "-",
        "/".join(map(str, _outcomes(differences))) if differences else "-",
    ]


def _outcomes(differences: Sequence[float]) -> tuple[int, int, int]:
    """Won, tied, lost."""
    signs = np.sign(np.round(differences, 9))
    return int((signs > 0).sum()), int((signs == 0).sum()), int((signs < 0).sum())


def _said(value: Interval, sign: str = "") -> str:
    return f"{value.mean:{sign}.3f} [{value.low:{sign}.3f}, {value.high:{sign}.3f}]"
