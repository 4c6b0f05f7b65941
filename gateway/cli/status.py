"""`evogate status`: arms with share, posterior and evidence; triggers; open incidents; what can be detected."""

from pathlib import Path
from typing import Any

import click

from gateway.cli.common import ago, home_option, json_option, plain, print_json, print_table, with_registry
from gateway.cli.live import evolver_status, gateway_status
from policies.evidence.returns import suspended_by, tries_of
from policies.registry.port import Registry


@click.command()
@home_option
@json_option
def status(home: Path, as_json: bool) -> None:
    """Arms, shares and evidence now; triggers; candidates on their way; open incidents."""
    facts = with_registry(home, _recorded) | {"gateway": gateway_status(home), "evolver": evolver_status(home)}
    if as_json:
        print_json(facts)
    else:
        _print(facts)


async def _recorded(registry: Registry) -> dict[str, Any]:
    policies = (await registry.state("policies")).get("names", [])
    return {
        "policies": {name: plain(await registry.production(name)) for name in policies},
        "candidates": plain(await registry.candidates(live=True)),
        "experiments": plain(await registry.experiments(running=True)),
        "incidents": [plain(incident) for incident in await registry.incidents() if incident.resolved_at is None],
        "freeze": await registry.state("freeze"),
    }


def _print(facts: dict[str, Any]) -> None:
    if facts["freeze"].get("frozen"):
        freeze = facts["freeze"]
        click.echo(f"FROZEN by {freeze.get('who')} {ago(freeze.get('at'))}: {freeze.get('why')}")
    _print_policies(facts)
    _print_workers(facts["gateway"])
    _print_arms(facts["gateway"])
    rows = [(c["id"][:8], c["policy"], c["layer"], _state(c), c["reason"]) for c in facts["candidates"]]
    print_table("candidates", ("id", "policy", "layer", "state", "why"), rows, empty="no candidate on its way")
    _print_triggers(facts["evolver"])
    _print_incidents(facts["incidents"])


def _state(candidate: dict[str, Any]) -> str:
    """With what the state alone does not say: that it is out of the draw, and which try of its lineage this is."""
    stations, tries = candidate["stations"], tries_of(candidate["stations"])
    upstream = suspended_by(stations)
    notes = [f"suspended by '{upstream}'"] * bool(upstream) + [f"try {tries + 1}"] * bool(tries)
    return ", ".join([candidate["state"], *notes])


def _print_policies(facts: dict[str, Any]) -> None:
    rows = [
        (name, pointer["version"], ago(pointer["moved_at"]), pointer["who"], pointer["why"])
        for name, pointer in facts["policies"].items()
        if pointer
    ]
    print_table("production", ("policy", "version", "since", "by", "why"), rows, empty="no policy has served yet")


def _print_workers(gateway: dict[str, Any] | None) -> None:
    found = (gateway or {}).get("workers", [])
    if not found:
        return
    keys = ("worker", "pid", "up", "restarts", "ended", "epoch")
    rows = [tuple("" if worker.get(key) is None else str(worker[key]) for key in keys) for worker in found]
    print_table("workers", ("worker", "pid", "up", "restarts", "last ended", "epoch"), rows, empty="no worker")


def _print_arms(gateway: dict[str, Any] | None) -> None:
    if gateway is None:
        click.echo("the gateway does not answer: shares and live evidence are not shown")
        return
    keys = ("policy", "label", "role", "share", "posterior", "evidence", "literal", "detectable")
    rows = [tuple(str(arm.get(key, "")) for key in keys) for arm in gateway.get("arms", [])]
    columns = (*keys[:1], "arm", *keys[2:6], "literal rule", "smallest ratio detectable")
    print_table("arms", columns, rows, empty="no arm is served")


def _print_incidents(found: list[dict[str, Any]]) -> None:
    rows = [(i["id"][:8], i["kind"], i["summary"], ago(i["at"])) for i in found]
    print_table("open incidents", ("id", "kind", "what", "when"), rows, empty="no open incident")


def _print_triggers(evolver: dict[str, Any] | None) -> None:
    if evolver is None:
        click.echo("the evolver does not answer: no trigger is checked")
        return
    due = f"due: {evolver['trigger_reason']}" if evolver.get("should_trigger") else "not due"
    learnt = evolver.get("learnings_since_training")
    click.echo(f"improvement cycle {due}; learnings since the last deployment: {learnt}")
