"""`evogate experiments`: every candidate, and what each station measured of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.common import (
    ago,
    home_option,
    json_option,
    plain,
    policy_option,
    print_json,
    print_table,
    with_registry,
)
from gateway.cli.measured import measured
from policies.registry.port import Registry
from policies.registry.values import Candidate, Experiment


@click.command()
@policy_option
@home_option
@json_option
def experiments(policy: str | None, home: Path, as_json: bool) -> None:
    """Every candidate and how far it came: stations, measurements, verdict."""

    async def work(registry: Registry) -> tuple[list[Candidate], list[Experiment]]:
        return await registry.candidates(policy), await registry.experiments(policy)

    candidates, opened = with_registry(home, work)
    by_candidate = {experiment.candidate: experiment for experiment in opened}
    if as_json:
        print_json([plain(c) | {"experiment": plain(by_candidate.get(c.id))} for c in candidates])
        return
    rows = [_experiment(candidate, by_candidate.get(candidate.id)) for candidate in reversed(candidates)]
    columns = (
        "candidate", "layer", "source", "state", "log", "shadow", "judge", "canary", "verdict", "began",
        "why it stands there",
    )  # fmt: skip
    print_table("experiments", columns, rows, empty="none yet: candidates come from findings")


def _experiment(candidate: Candidate, experiment: Experiment | None) -> tuple[str, ...]:
    verdict = (experiment.verdict or "running") if experiment else "—"
    source = f"{candidate.lineage.source}: {candidate.lineage.operator}"
    return (
        candidate.id[:8], candidate.layer, source, candidate.state, _log(candidate.stations),
        _shadow(candidate.stations), _judge(candidate.stations),
        "\n".join(measured(candidate.stations.get("promotion", {}))), verdict, ago(candidate.created_at),
        candidate.reason
    )  # fmt: skip


def _log(stations: Mapping[str, Any]) -> str:
    """What the recordings say of its gain in reward before anybody tries it: an estimate, or why there is none."""
    found = stations.get("log", {})
    if found.get("gain") is None:
        return "no overlap" if found else ""
    if "low" not in found:
        return f"{found['gain']:+.3f}"
    basis = f"worth {found['candidate']['effective']:.0f} units"
    return f"{found['gain']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f}), {basis}"


def _shadow(stations: Mapping[str, Any]) -> str:
    """What it was better by than production, in shares of the policy's budgets, with 95 % intervals."""
    found = stations.get("shadow", {})
    return "\n".join(
        f"{name} {found[name]['estimate']:+.3f} ({found[name]['low']:+.3f} to {found[name]['high']:+.3f})"
        for name in ("quality", "latency", "cost")
        if name in found
    )


def _judge(stations: Mapping[str, Any]) -> str:
    """The score with its bounds, and how far the judge can be trusted: by repeats, and by people's labels."""
    found = stations.get("judge", {})
    if "mean" not in found:
        return ""
    said = [f"{found['mean']:.2f} ({found['low']:.2f} to {found['high']:.2f})"]
    if found.get("repeat_variance") is not None:
        said.append(f"repeat variance {found['repeat_variance']:.3f}")
    if calibration := found.get("calibration"):
        kappa = calibration["kappa"]
        shown = f"{kappa:.2f}" if kappa is not None else "not known"
        said.append(f"kappa {shown} on {calibration['labels']} labels")
    return "\n".join(said)


COMMANDS = (experiments,)
