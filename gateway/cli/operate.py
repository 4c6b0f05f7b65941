"""Commands that change something. Each is recorded as an operator's word, with who and why."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click

from gateway.cli.common import home_option, json_option, policy_option, print_json, the_policy, the_user, with_registry
from gateway.cli.live import ask, listener
from policies.genome import LAYERS, LayerName
from policies.registry import words
from policies.registry.operations import restore
from policies.registry.port import Registry
from policies.registry.values import Candidate

why_option = click.option("--why", default="no reason given", show_default=True, help="Kept in the history.")


def _said(as_json: bool, sentence: str, **facts: Any) -> None:
    if as_json:
        print_json({"message": sentence, **facts})
    else:
        click.echo(sentence)


@click.command()
@click.argument("version")
@click.option("--layer", type=click.Choice(LAYERS), help="Restore only this layer; the other two stay.")
@policy_option
@why_option
@home_option
@json_option
def rollback(version: str, layer: LayerName | None, policy: str | None, why: str, home: Path, as_json: bool) -> None:
    """Restore VERSION (v1.0), or one layer of it, as a new version; in force within one poll."""

    async def work(registry: Registry) -> str:
        name = await the_policy(registry, policy)
        made = await restore(registry, name, version, layer, who=the_user(), why=why, now=time.time())
        return made.label

    label = with_registry(home, work)
    _said(as_json, f"{label} is in production: {layer or 'all layers'} of {version} restored", version=label)


def _on_candidate(home: Path, candidate_id: str, work: Callable[[Registry, Candidate], Awaitable[str]]) -> str:
    async def found(registry: Registry) -> str:
        return await work(registry, await registry.candidate(candidate_id))

    return with_registry(home, found)


@click.command()
@click.argument("candidate")
@why_option
@home_option
@json_option
def approve(candidate: str, why: str, home: Path, as_json: bool) -> None:
    """Say yes to the step that CANDIDATE waits for: its canary, or its promotion."""

    async def work(registry: Registry, found: Candidate) -> str:
        return await words.approve(registry, found, who=the_user(), why=why, now=time.time())

    step = _on_candidate(home, candidate, work)
    _said(as_json, f"approved: the {step} of {candidate} goes ahead once its evidence is there", step=step)


@click.command()
@click.argument("candidate")
@why_option
@home_option
@json_option
def canary(candidate: str, why: str, home: Path, as_json: bool) -> None:
    """Send CANDIDATE straight to its canary, past whatever it still waits for. The breaker watches it as any other."""

    async def work(registry: Registry, found: Candidate) -> str:
        return (await words.send_to_canary(registry, found, who=the_user(), why=why, now=time.time())).id

    experiment = _on_candidate(home, candidate, work)
    _said(as_json, f"{candidate} is in canary (experiment {experiment})", experiment=experiment)


@click.command("promote")
@click.argument("candidate")
@why_option
@home_option
@json_option
def promote(candidate: str, why: str, home: Path, as_json: bool) -> None:
    """Put CANDIDATE into production now, on your word instead of evidence."""

    async def work(registry: Registry, found: Candidate) -> str:
        return (await words.put_into_production(registry, found, who=the_user(), why=why, now=time.time())).label

    label = _on_candidate(home, candidate, work)
    _said(as_json, f"{label} is in production", version=label)


@click.command()
@click.argument("candidate")
@why_option
@home_option
@json_option
def reject(candidate: str, why: str, home: Path, as_json: bool) -> None:
    """End CANDIDATE; the same content is not tried again."""

    async def work(registry: Registry, found: Candidate) -> str:
        return (await words.reject(registry, found, who=the_user(), why=why, now=time.time())).state

    _said(as_json, f"{candidate} is {_on_candidate(home, candidate, work)}")


def _set_frozen(home: Path, frozen: bool, why: str) -> None:
    with_registry(home, lambda registry: words.set_frozen(registry, frozen, who=the_user(), why=why, now=time.time()))


@click.command()
@why_option
@home_option
@json_option
def freeze(why: str, home: Path, as_json: bool) -> None:
    """Stop all change everywhere: no new shares, canaries or promotions. Rollbacks still happen."""
    _set_frozen(home, True, why)
    _said(as_json, "frozen: nothing changes by itself until `evogate thaw`")


@click.command()
@why_option
@home_option
@json_option
def thaw(why: str, home: Path, as_json: bool) -> None:
    """Resume change."""
    _set_frozen(home, False, why)
    _said(as_json, "thawed: automatic decisions go on")


@click.command()
@click.option("--simulate-learnings", type=click.IntRange(min=1), help="Pretend that so many were learnt.")
@home_option
@json_option
def trigger(simulate_learnings: int | None, home: Path, as_json: bool) -> None:
    """Start an improvement cycle now; the evolver takes it up at its next look."""
    wish = {"at": time.time(), "who": the_user(), "simulate_learnings": simulate_learnings}

    async def work(registry: Registry) -> None:
        await registry.set_state("trigger", wish)

    with_registry(home, work)
    running = listener(home, "evolver").get("url")
    reached = running is not None and ask(f"{running}/api/v1/improvement/status") is not None
    where = "the evolver starts a cycle" if reached else "no evolver is running: the next one starts a cycle"
    _said(as_json, f"triggered; {where}", triggered_at=wish["at"])


COMMANDS = (rollback, approve, canary, promote, reject, freeze, thaw, trigger)
