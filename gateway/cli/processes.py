"""Commands that run something: gateway, evolver, sandbox, all of them at once; and the check of a configuration."""

import os
import sys
from pathlib import Path

import click

from config.loader import ConfigError, load
from gateway.cli.common import config_option, home_option, json_option, print_json


@click.command()
@config_option
@home_option
@click.option("--host", help="Address of the data plane; default: the configuration's.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port of the data plane; 0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes on that port; default: the configuration's.")
def gateway(config: Path | None, home: Path, host: str | None, port: int | None, workers: int | None) -> None:
    """Run the gateway: the data plane and its admin listener."""
    from gateway.process import run

    run(config, home, host=host, port=port, workers=workers)


@click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def evolver(arguments: tuple[str, ...]) -> None:
    """Run the evolver (`--once` for a single cycle); see `evogate evolver --help`."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "evolver", *arguments])  # noqa: S606 (our own module)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65_535), default=8899, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Which world it plays.")
@click.option("--delay-scale", type=click.FloatRange(min=0.0), default=1.0, show_default=True)
def sandbox(host: str, port: int, seed: int, delay_scale: float) -> None:
    """Run the sandbox provider: OpenAI-compatible, no model inside."""
    from gateway.sandbox.app import run

    run(host, port, seed=seed, delay_scale=delay_scale)


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@config_option
@json_option
def check(file: Path | None, config: Path | None, as_json: bool) -> None:
    """Validate a configuration: every error with its line and what would be right."""
    path = file or config
    try:
        settings = load(path, os.environ)
    except ConfigError as error:
        if as_json:
            print_json({"valid": False, "problems": error.problems})
        else:
            click.echo(str(error), err=True)
        sys.exit(1)
    facts = {"valid": True, "policies": sorted(settings.policies), "models": sorted(settings.models)}
    if as_json:
        print_json(facts)
    else:
        named = ", ".join(sorted(settings.policies)) or "none: every request is relayed untouched"
        click.echo(f"{path or 'defaults'}: valid; policies: {named}")


@click.command()
@config_option
@home_option
@click.option("--demo", is_flag=True, help="Also send sandbox traffic and show the loop at work.")
@click.option("--seconds", type=click.FloatRange(min=60.0), help="End the demo after so many seconds.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which world the sandbox and its traffic play.")
@click.option("--workers", type=click.IntRange(1, 64), help="Gateway processes; default: the configuration's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end instead of the live screen.")
def up(
    config: Path | None,
    home: Path,
    demo: bool,
    seconds: float | None,
    seed: int,
    workers: int | None,
    as_json: bool,
) -> None:
    """Run gateway and evolver; with no upstream configured, the sandbox provider too."""
    from gateway.cli.up import run

    if workers is not None:
        os.environ["EVOGATE_GATEWAY__WORKERS"] = str(workers)  # every setting has such a name; children inherit it
    sys.exit(run(config, home, demo=demo, seconds=seconds, seed=seed, as_json=as_json))


COMMANDS = (up, gateway, evolver, sandbox, check)
