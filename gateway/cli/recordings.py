"""Commands over the recordings: records and render."""

import sys
from pathlib import Path
from typing import Any

import click
import orjson

from gateway.cli.common import config_option, existing, home_option, policy_option, the_policy, with_registry
from gateway.cli.explain import explain
from gateway.cli.offline import compiled, memory_of, settings_in_force
from gateway.recording.conversations import conversations
from gateway.recording.reader import Damage, every, tail
from policies.errors import OperatorError
from policies.memory import Entry
from policies.registry.operations import find_version
from policies.registry.port import Registry
from policies.registry.values import Version

LOOK_S = 0.2


@click.command()
@click.option("--follow", is_flag=True, help="Go on: each frame as it is written.")
@click.option("--frames", is_flag=True, help="Single frames instead of whole conversations.")
@home_option
def records(follow: bool, frames: bool, home: Path) -> None:
    """Recordings as JSON lines, straight from the spool: a whole conversation a line, in order."""
    found = (
        payload
        for _, _, payload in tail(
            existing(home) / "spool", wait=every(LOOK_S) if follow else None, on_damage=_report_damage
        )
    )
    try:
        for item in found if follow or frames else conversations(found):
            click.echo(orjson.dumps(item))
    except KeyboardInterrupt:
        sys.exit(0)


def _report_damage(damage: Damage) -> None:
    click.echo(f"evogate: {damage}", err=True)


@click.command()
@click.option("--version", "label", required=True, help="Which version, such as v1.2.")
@policy_option
@config_option
@home_option
def render(label: str, policy: str | None, config: Path | None, home: Path) -> None:
    """What a version would send for the request on standard input: `evogate render --version v1.0 < request.json`."""
    body = _request(sys.stdin.buffer.read())

    async def work(registry: Registry) -> tuple[Version, list[Entry]]:
        version = await find_version(registry, await the_policy(registry, policy), label)
        return version, await memory_of(registry, version.policy, version.genome)

    version, memory = with_registry(home, work)
    genome = compiled(settings_in_force(home, config), version.policy, version.genome, memory)
    click.echo(orjson.dumps(orjson.loads(genome.render(body)), option=orjson.OPT_INDENT_2))


def _request(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise OperatorError(f"standard input is not JSON ({error}); pass a chat completion request") from error
    if not isinstance(body, dict):
        raise OperatorError("standard input must hold one JSON object: a chat completion request")
    return body


COMMANDS = (records, explain, render)
