"""Commands that only look: how things stand, findings, incidents."""

import time
from pathlib import Path
from typing import Any

import click

from gateway.cli.common import ago, home_option, json_option, policy_option, print_json, print_table, with_registry
from gateway.cli.findings import gone, report
from gateway.cli.status import status
from policies.registry.port import Registry
from policies.registry.values import Candidate, Finding, Incident


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
def incidents(policy: str | None, home: Path, as_json: bool) -> None:
    """What went wrong, on what evidence, and what was done."""
    found: list[Incident] = with_registry(home, lambda registry: registry.incidents(policy))
    if as_json:
        print_json(found)
        return
    rows = [
        (i.id[:8], i.policy, i.kind, i.subject[:8], i.summary, ago(i.at), "over" if i.resolved_at else "open")
        for i in reversed(found)
    ]
    print_table("incidents", ("id", "policy", "kind", "subject", "what", "when", "state"), rows, empty="none")


COMMANDS = (status, findings, incidents)
