"""What a worker says of itself, as JSON values."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from gateway.pipeline.allocation import sides_of
from gateway.pipeline.epoch import Arm, PolicyView
from gateway.pipeline.live import Running
from gateway.pipeline.snapshot import PolicySnapshot
from gateway.pipeline.worker import Worker
from policies.evidence import detectable_ratio
from policies.evidence.returns import suspended_by


def status(worker: Worker) -> dict[str, Any]:
    """Everything that an operator asks first."""
    core = worker.core
    epoch = core.epoch
    return {
        "writer": core.writer,
        "ready": worker.app.ready,
        "epoch": epoch.number,
        "frozen": epoch.frozen,
        "deciding": core.recording,
        "arms": arms(worker),
        "policies": {name: _policy(worker, view) for name, view in epoch.policies.items()},
        "experiments": [_experiment(run, worker.guard.held) for run in core.evidence.running.values()],
        "outages": {name: state.summary for name, state in core.outages.down().items()},
        "registry": {"joined": worker.started_from is None, "last_seen_at": worker.started_from},
        "configuration": {
            "reloads": core.metrics.reloads,
            "failures": core.metrics.reload_failures,
            "last_error": worker.reload_error,
        },
        "spool": _spool(worker),
        "fell_open": {"counts": core.fall_open.counts, "last": core.fall_open.last},
        "feedback": {"remembered_requests": len(core.recent)},
    }


def _spool(worker: Worker) -> dict[str, Any]:
    spool = worker.spool
    return {
        "level": spool.level,
        "position": list(spool.writer.position),
        "waiting_bytes": spool.writer.waiting,
        "lost_frames": spool.writer.lost,
        "failed_writes": spool.commit.failures,
        "retired_segments": spool.upkeep.retired,
        "upkeep_faults": spool.upkeep.faults,
        "recording": worker.core.recording,
    }


def arms(worker: Worker) -> list[dict[str, Any]]:
    """Every arm that may be drawn, production first."""
    rows = []
    for view in worker.core.epoch.policies.values():
        for arm, (_, share) in zip(view.drawn, view.odds, strict=True):
            rows.append(_arm(worker, view, arm, share))
    return rows


def _arm(worker: Worker, view: PolicyView, arm: Arm, share: float) -> dict[str, Any]:
    posterior = worker.core.posteriors.of(view.name, arm.hash)
    runs = _about(worker, view, arm)
    label = arm.version if arm.candidate is None else f"{arm.candidate[:8]} on {arm.version}"
    return {
        "policy": view.name,
        "label": label,
        "role": arm.role,
        "genome": arm.hash,
        "version": arm.version,
        "candidate": arm.candidate,
        "share": round(share, 4),
        "posterior": f"{posterior.mean:.3f} ({posterior.weight - 2.0:.0f})",
        "posterior_alpha": posterior.alpha,
        "posterior_beta": posterior.beta,
        "evidence": _each(runs, _evidence),
        "literal": _each(runs, _literal),
        "tries": max((run.trial.tries for run in runs), default=0),
        "detectable": _each(runs, lambda run: _detectable(run, view)),
    }


def _about(worker: Worker, view: PolicyView, arm: Arm) -> list[Running]:
    """The comparisons that may take an arm back: in a factorial one for each candidate that is in it."""
    running = worker.core.evidence.running.values()
    return [run for run in running if run.policy == view.name and arm.hash in sides_of(run.trial)[1]]


def _each(runs: Sequence[Running], say: Callable[[Running], str]) -> str:
    """What is to be said of each; with the candidate's name where there are several."""
    if len(runs) == 1:
        return say(runs[0])
    return "; ".join(f"{run.trial.candidate[:8]}: {say(run)}" for run in runs)


def _policy(worker: Worker, view: PolicyView) -> dict[str, Any]:
    rows = worker.snapshot.policies.get(view.name, PolicySnapshot())
    return {
        "mode": view.settings.mode,
        "production": view.production.version,
        "frozen": view.frozen,
        "suspended": {c.id: upstream for c in rows.candidates if (upstream := suspended_by(c.stations))},
        "shadows": [arm.candidate for arm in view.shadows],
        "pinnable_arms": len(view.arms),
        "problems": list(view.problems),
    }


def _experiment(run: Running, held: Collection[str]) -> dict[str, Any]:
    decision = run.decision
    return {
        "id": run.trial.experiment,
        "policy": run.policy,
        "candidate": run.trial.candidate,
        "holdback": run.trial.holdback,
        "tries": run.trial.tries,
        "held": run.trial.experiment in held,
        "literal": decision.evidence["literal"] if decision is not None else {},
        "writers": run.writers,
        "verdict": decision.verdict if decision is not None else "CLEAR",
        "heuristic": decision.heuristic if decision is not None else False,
        "summary": decision.summary if decision is not None else "",
        "evidence": decision.evidence if decision is not None else {},
    }


def _evidence(run: Running | None) -> str:
    if run is None or run.decision is None:
        return ""
    value = run.decision.evidence["e_values"]["combined"]["1"]
    return f"{run.decision.verdict}, E {value:.3g}"


def _literal(run: Running) -> str:
    """The literal rule's own state: the largest failure ratio of the window beside its limit."""
    if run.decision is None:
        return ""
    evidence = run.decision.evidence
    ratio, literal = evidence["ratio"], evidence["literal"]
    shown = f"{ratio:.2f}x" if ratio is not None else "only it fails"
    return f"{shown} of {literal['limit']:g}x" + (", exceeded" if literal["exceeded"] else "")


def _detectable(run: Running, view: PolicyView) -> str:
    """At the window's traffic and production's failure rate in it."""
    if run.decision is None:
        return ""
    window = run.decision.evidence["window"]["answer"]
    (units, failures), (challenger, _) = window["production"], window["challenger"]
    total = units + challenger
    if not units or not challenger:
        return ""
    breaker = view.settings.breaker
    lasted = min(breaker.window_s, max(run.decision.evidence["at"] - run.trial.started_at, 1.0))
    rate = (failures + 0.5) / (units + 1.0)
    ratio = detectable_ratio(total / lasted, challenger / total, rate, breaker.window_s, breaker.alpha)
    return f"{ratio:.1f}x" if ratio is not None else "none"
