"""An operator's changes to what is remembered, each a new version at once."""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path

import click

from gateway.cli.common import config_option, home_option, policy_option, with_registry
from gateway.cli.remembered import named, read, remembered, store
from policies.errors import OperatorError
from policies.lint import instructs
from policies.memory import Entry, lint_entry
from policies.memory.operations import Operation
from policies.registry.port import Registry
from policies.registry.values import Version

why_option = click.option("--why", default="no reason given", show_default=True, help="Kept in the history.")
vouch_option = click.option(
    "--vouch", is_flag=True, help="Links, addresses and the like are meant to be there; secrets and orders never are."
)
topk_option = click.option("--topk", type=click.IntRange(1, 20), help="Retrieve so many from now on.")


Change = Callable[[list[Entry]], list[Operation]]


def _changed(
    change: Change, why: str, policy: str | None, config: Path | None, home: Path, topk: int | None = None
) -> None:
    """Carry a change out, and say which version has it."""

    async def work(registry: Registry) -> tuple[Version, int]:
        held = await remembered(registry, policy, None, home, config)
        return await store(registry, held, change(held.entries), why, topk)

    version, count = with_registry(home, work)
    genes = version.genome.memory
    hint = "" if genes.recalls else "; it retrieves nothing yet: give --topk"
    click.echo(f"{version.label} is in production and remembers {count} entries{hint}")


@click.command()
@click.argument("text")
@click.option("--id", "entry_id", help="Its name; made of its content where none is given.")
@click.option("--topic", "topics", multiple=True, help="A word by which it is found as well; may be given often.")
@click.option("--answer", default="", help="Makes it a worked example: TEXT is asked, this is answered.")
@click.option("--namespace", default="", help="The tenant that it is for; without it, for everybody.")
@topk_option
@vouch_option
@why_option
@policy_option
@config_option
@home_option
def add(
    text: str,
    entry_id: str | None,
    topics: tuple[str, ...],
    answer: str,
    namespace: str,
    topk: int | None,
    vouch: bool,
    why: str,
    policy: str | None,
    config: Path | None,
    home: Path,
) -> None:
    """Remember TEXT."""
    digest = blake2b(f"{namespace}\x1f{text}\x1f{answer}".encode(), digest_size=6).hexdigest()
    entry = Entry(entry_id or f"own-{digest}", text, topics, answer, namespace)
    _let_in([entry], vouch)
    _changed(lambda _: [Operation.add(entry, why)], why, policy, config, home, topk)


def _let_in(entries: Sequence[Entry], vouch: bool) -> None:
    """Raises OperatorError where an entry may not be written."""
    for entry in entries:
        if vouch:
            fault = instructs("\n".join((entry.text, entry.answer, *entry.topics)))
            faults = [f"Entry '{entry.id}' {fault}."] if fault else []
        else:
            faults = lint_entry(entry)
        if faults:
            hint = "" if vouch else " If that is meant to be there, --vouch for it."
            raise OperatorError(f"{' '.join(faults)}{hint}")


@click.command()
@click.argument("entry_ids", nargs=-1, required=True)
@why_option
@policy_option
@config_option
@home_option
def forget(entry_ids: tuple[str, ...], why: str, policy: str | None, config: Path | None, home: Path) -> None:
    """Take entries out, whole; older versions keep the memory that they had."""

    def change(entries: list[Entry]) -> list[Operation]:
        return [Operation.forget(named(entries, name), why) for name in dict.fromkeys(entry_ids)]

    _changed(change, why, policy, config, home)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--replace", "whole", is_flag=True, help="Remember nothing but what FILE holds.")
@topk_option
@vouch_option
@why_option
@policy_option
@config_option
@home_option
def import_(
    file: Path,
    whole: bool,
    topk: int | None,
    vouch: bool,
    why: str,
    policy: str | None,
    config: Path | None,
    home: Path,
) -> None:
    """Remember the entries of FILE (JSON lines); those of a known id take its place."""
    brought = {entry.id: entry for entry in read(file, "import")}
    _let_in(list(brought.values()), vouch)

    def change(entries: list[Entry]) -> list[Operation]:
        same = {entry.id for entry in entries if brought.get(entry.id) == entry}
        gone = [entry for entry in entries if entry.id not in same and (whole or entry.id in brought)]
        new = [entry for entry in brought.values() if entry.id not in same]
        return [*(Operation.forget(entry, why) for entry in gone), *(Operation.add(entry, why) for entry in new)]

    _changed(change, why, policy, config, home, topk)


COMMANDS = (add, forget, import_)
