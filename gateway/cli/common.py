"""What the commands share: options, errors as one line, tables or JSON."""

import asyncio
import dataclasses
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson
from pydantic import BaseModel

from config.loader import load_registry
from gateway.cli.live import listener
from policies.errors import EvoGateError, OperatorError
from policies.registry import open_registry
from policies.registry.port import Registry

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])

config_option = click.option(
    "--config", "config", type=click.Path(path_type=Path), envvar="EVOGATE_CONFIG", help="The configuration file."
)
home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="EVOGATE_HOME",
    default=".evogate",
    show_default=True,
    help="The folder that holds the registry and the recordings.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
policy_option = click.option("--policy", help="Which policy; needed only where there are several.")


class Commands(click.Group):
    """A group that turns every error meant for the operator into one line and exit code 2."""

    def invoke(self, context: click.Context) -> Any:
        """Run a command; anything that EvoGate raised on purpose ends as a message."""
        try:
            return super().invoke(context)
        except EvoGateError as error:
            click.echo(f"evogate: {error}", err=True)
            sys.exit(2)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)


def with_registry(home: Path, work: Callable[[Registry], Awaitable[T]]) -> T:
    """Run `work` on the registry of the configuration in force, or on the one in `home`."""
    database = load_registry(_config(home), os.environ).database

    async def opened() -> T:
        async with open_registry(home if database else existing(home), database) as registry:
            return await work(registry)

    return asyncio.run(opened())


def existing(home: Path) -> Path:
    """The data folder, which must be there.

    Raises:
        OperatorError: it is not.
    """
    if not any((home / name).exists() for name in ("registry.db", "secret")):  # a fleet's registry is elsewhere
        raise OperatorError(f"{home}: holds no EvoGate data; start `evogate up`, or name another folder with --home")
    return home


def _config(home: Path) -> Path | None:
    """The configuration named, or the one that a process of this data folder was last started with."""
    context = click.get_current_context(silent=True)
    named = (context and context.params.get("config")) or os.environ.get("EVOGATE_CONFIG")
    started_with = listener(home, "gateway").get("config")
    if named is None and started_with is not None and not Path(started_with).exists():
        return None
    path = named or started_with
    return Path(path) if path else None


async def the_policy(registry: Registry, wanted: str | None) -> str:
    """The policy meant: the one named, or the only one there is.

    Raises:
        OperatorError: none of that name, or several and none named.
    """
    known = sorted((await registry.state("policies")).get("names", []))
    if wanted in known:
        return str(wanted)
    if wanted is None and len(known) == 1:
        return str(known[0])
    hint = f"name one with --policy: {', '.join(known)}" if known else "no policy has served yet: start `evogate up`"
    raise OperatorError(f"there is no policy '{wanted}'; {hint}" if wanted else hint)


def plain(value: Any) -> Any:
    """Dataclasses and models as JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


def print_json(value: Any) -> None:
    """One indented JSON document."""
    click.echo(orjson.dumps(plain(value), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """A table, or one line that says why there is none."""
    from rich.console import Console  # here, for a gateway prints none
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160)
    if not rows:
        console.print(empty)
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def ago(at: float | None, now: float | None = None) -> str:
    """How long ago a Unix time was, in words: `3 min ago`."""
    if not at:
        return "never"
    seconds = (time.time() if now is None else now) - at
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def the_user() -> str:
    """Who gives the order, for the audit trail."""
    return f"operator:{os.environ.get('USER') or os.environ.get('LOGNAME') or 'unknown'}"
