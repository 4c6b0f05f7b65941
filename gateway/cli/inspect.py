"""Commands that only look: versions, findings, experiments, incidents."""

import time
from collections.abc import Awaitable, Callable, Mapping
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
    the_policy,
    with_registry,
)
from gateway.cli.findings import gone, report
from gateway.cli.measured import measured
from gateway.cli.status import status
from policies.genome import Genome
from policies.registry.manifest import manifest
from policies.registry.operations import find_version
from policies.registry.port import Registry
from policies.registry.values import Candidate, Experiment, Finding, Incident, Pointer, Version

SHOWN = ("e_value", "threshold", "restored", "override", "candidate")  # of a version's evidence, in the table


@click.command()
@policy_option
@home_option
@json_option
def history(policy: str | None, home: Path, as_json: bool) -> None:
    """Versions of a policy: what each is, who made it, why, and how long it was in production."""

    async def work(registry: Registry) -> tuple[list[Version], list[Pointer]]:
        name = await the_policy(registry, policy)
        return await registry.versions(name), await registry.pointers(name)

    versions, pointers = with_registry(home, work)
    manifests = [_manifest(version, pointers) for version in versions]
    if as_json:
        print_json(manifests)
        return
    rows = [_history(found) for found in reversed(manifests)]
    columns = ("version", "made", "by", "source", "active", "why", "evidence")
    print_table("versions (* in production)", columns, rows, empty="none")


def _manifest(version: Version, pointers: list[Pointer]) -> dict[str, Any]:
    """With the names that this command has always used beside those of the manifest."""
    found = manifest(version, pointers, time.time())
    return found | {"hash": found["content_hash"], "in_production": found["production"]}


def _history(found: dict[str, Any]) -> tuple[str, ...]:
    mark, active = (" *", " so far") if found["production"] else ("", "")
    evidence = ", ".join(f"{name} {_number(found['evidence'][name])}" for name in SHOWN if name in found["evidence"])
    return (
        found["version"] + mark,
        ago(found["created_at"]),
        found["who"],
        found["lineage"]["source"],
        f"{found['active_s']:.0f} s{active}",
        found["why"],
        evidence or "—",
    )


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _with_version(home: Path, policy: str | None, *labels: str) -> list[Version]:
    async def work(registry: Registry) -> list[Version]:
        name = await the_policy(registry, policy)
        return [await find_version(registry, name, label) for label in labels]

    return with_registry(home, work)


@click.command()
@click.argument("version")
@policy_option
@home_option
def show(version: str, policy: str | None, home: Path) -> None:
    """VERSION whole, as JSON: every gene of every layer, lineage, evidence, and when it was in production."""

    async def work(registry: Registry) -> dict[str, Any]:
        name = await the_policy(registry, policy)
        return _manifest(await find_version(registry, name, version), await registry.pointers(name))

    print_json(with_registry(home, work))


@click.command()
@click.argument("a")
@click.argument("b")
@policy_option
@home_option
@json_option
def diff(a: str, b: str, policy: str | None, home: Path, as_json: bool) -> None:
    """What differs between versions A and B, gene by gene."""
    old, new = _with_version(home, policy, a, b)
    changes = differences(old.genome, new.genome)
    if as_json:
        print_json([{"gene": gene, "before": before, "after": after} for gene, before, after in changes])
        return
    rows = [(gene, _short(before), _short(after)) for gene, before, after in changes]
    print_table(f"{old.label} → {new.label}", ("gene", old.label, new.label), rows, empty="no difference")


def differences(old: Genome, new: Genome) -> list[tuple[str, Any, Any]]:
    """(gene, before, after) for each gene that differs; rules of the rubric one by one."""
    before, after = _flat(old), _flat(new)
    keys = list(dict.fromkeys([*before, *after]))
    return [(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]


def _flat(genome: Genome) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for layer, genes in genome.model_dump(mode="json").items():
        for gene, value in genes.items():
            if gene == "rubric":
                flat |= {f"{layer}.rubric.{rule['id']}": rule["text"] for rule in value}
            else:
                flat[f"{layer}.{gene}"] = value
    return flat


def _short(value: Any) -> str:
    return "—" if value is None else str(value)


def _listed(home: Path, policy: str | None, read: Callable[[Registry, str | None], Awaitable[list[Any]]]) -> list[Any]:
    async def work(registry: Registry) -> list[Any]:
        return await read(registry, policy)

    return with_registry(home, work)


@click.command()
@policy_option
@home_option
@json_option
def findings(policy: str | None, home: Path, as_json: bool) -> None:
    """What the latest analysis found in the recordings, the most severe first, each as a report; then what is gone."""

    async def work(registry: Registry) -> tuple[list[Finding], list[Candidate], dict[str, dict[str, Any]]]:
        known = (await registry.state("policies")).get("names", [])
        analyses = {name: await registry.state(f"analysis:{name}") for name in known if policy in {None, name}}
        return await registry.findings(policy), await registry.candidates(policy), analyses

    found, candidates, analyses = with_registry(home, work)
    if as_json:
        print_json(found)
        return
    now = time.time()
    latest = {name: analysis.get("at", 0.0) for name, analysis in analyses.items()}
    older = [one for one in found if one.at < latest.get(one.policy, 0.0)]
    for finding in sorted((one for one in found if one not in older), key=lambda one: -one.severity):
        answers = [candidate for candidate in candidates if candidate.lineage.finding == finding.id]
        click.echo(report(finding, now=now, answers=answers) + "\n")
    if older:
        click.echo(gone(sorted(older, key=lambda one: (-one.at, -one.severity)), now) + "\n")
    for name, analysis in analyses.items():
        if analysis:
            click.echo(f"policy {name}, analysed {ago(analysis['at'], now)}: {analysis['said']}")
    if not found and not any(analyses.values()):
        click.echo("none yet: analysis needs recordings (`evogate trigger` starts one)")


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


@click.command()
@policy_option
@home_option
@json_option
def incidents(policy: str | None, home: Path, as_json: bool) -> None:
    """What went wrong, on what evidence, and what was done."""
    found: list[Incident] = _listed(home, policy, lambda registry, name: registry.incidents(name))
    if as_json:
        print_json(found)
        return
    rows = [
        (i.id[:8], i.policy, i.kind, i.subject[:8], i.summary, ago(i.at), "over" if i.resolved_at else "open")
        for i in reversed(found)
    ]
    print_table("incidents", ("id", "policy", "kind", "subject", "what", "when", "state"), rows, empty="none")


COMMANDS = (status, history, show, diff, findings, experiments, incidents)
