"""`evogate memory`: what production remembers, and an operator's changes to it."""

from pathlib import Path
from typing import Any

import click

from gateway.cli import remembering
from gateway.cli.common import (
    config_option,
    home_option,
    json_option,
    policy_option,
    print_json,
    print_table,
    with_registry,
)
from gateway.cli.remembered import Remembered, named, remembered
from policies.memory import Entry
from policies.memory.counters import Counter
from policies.memory.lines import to_lines
from policies.registry.port import Registry

version_option = click.option("--version", "label", help="Of this version instead of production.")


@click.group()
def memory() -> None:
    """Look at what is remembered, and change it."""


@memory.command("list")
@click.option("--all", "everything", is_flag=True, help="Deprecated entries, too.")
@version_option
@policy_option
@config_option
@home_option
@json_option
def list_(
    everything: bool, label: str | None, policy: str | None, config: Path | None, home: Path, as_json: bool
) -> None:
    """Entries, and what became of the requests that they were put into."""

    async def work(registry: Registry) -> tuple[Remembered, dict[str, Counter]]:
        held = await remembered(registry, policy, label, home, config)
        return held, await _counters(registry, held.version.policy)

    held, counters = with_registry(home, work)
    shown = [entry for entry in held.entries if everything or entry.active]
    if as_json:
        print_json([_facts(entry, counters.get(entry.id)) for entry in shown])
        return
    columns = ("id", "kind", "tenant", "state", "requests", "reward", "helps", "text")
    rows = [_row(entry, counters.get(entry.id, Counter())) for entry in shown]
    genes = held.version.genome.memory
    title = f"memory of {held.version.label} (retrieves {genes.retriever_topk}, examples {genes.shots_topk})"
    print_table(title, columns, rows, empty="nothing is remembered")


async def _counters(registry: Registry, policy: str) -> dict[str, Counter]:
    """As the last cycle has left them."""
    told = (await registry.state(f"memory:{policy}")).get("counters", {})
    return {name: Counter(*sums) for name, sums in told.items()}


def _facts(entry: Entry, counter: Counter | None) -> dict[str, Any]:
    known = {} if counter is None else {"counters": counter, "lower": counter.lower, "helps": counter.helps}
    return {"entry": entry, **known}


def _row(entry: Entry, counter: Counter) -> tuple[str, ...]:
    reward = f"{counter.shown.mean:.2f}" if counter.retrieved else ""
    helps = f"{counter.helps:.3f}" if counter.helps is not None else ""
    kind = "example" if entry.answer else "fact"
    return entry.id, kind, entry.namespace, entry.state, f"{counter.retrieved:.0f}", reward, helps, entry.text[:80]


@memory.command()
@click.argument("entry_id")
@version_option
@policy_option
@config_option
@home_option
def show(entry_id: str, label: str | None, policy: str | None, config: Path | None, home: Path) -> None:
    """One entry whole, with its sources and counters, as JSON."""

    async def work(registry: Registry) -> dict[str, Any]:
        held = await remembered(registry, policy, label, home, config)
        counters = await _counters(registry, held.version.policy)
        return _facts(named(held.entries, entry_id), counters.get(entry_id))

    print_json(with_registry(home, work))


@memory.command()
@version_option
@policy_option
@config_option
@home_option
def export(label: str | None, policy: str | None, config: Path | None, home: Path) -> None:
    """All entries as JSON lines on standard output, as `import` and `memory_file` take them."""
    held = with_registry(home, lambda registry: remembered(registry, policy, label, home, config))
    click.echo(b"".join(to_lines(held.entries)), nl=False)


for command in remembering.COMMANDS:
    memory.add_command(command)

COMMANDS = (memory,)
