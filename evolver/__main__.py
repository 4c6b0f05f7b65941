"""`python -m evolver`, which is what `evogate evolver` runs."""

import asyncio
import logging
import sys
from pathlib import Path

import click

from evolver.process import once as run_once
from evolver.process import serve, serve_stage
from evolver.services import STAGES
from policies.errors import EvoGateError


@click.command()
@click.option("--config", type=click.Path(path_type=Path), envvar="EVOGATE_CONFIG", help="The configuration file.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="EVOGATE_HOME",
    default=".evogate",
    show_default=True,
    help="The folder that holds the registry and the recordings.",
)
@click.option("--once", is_flag=True, help="Run one improvement cycle and exit.")
@click.option("--stage", type=click.Choice(list(STAGES)), help="Serve this one service alone, on its own port.")
@click.option("--host", help="Address of the API; default: the configuration's.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port of the API; 0 takes a free one.")
def main(config: Path | None, home: Path, *, once: bool, stage: str | None, host: str | None, port: int | None) -> None:
    """Read the recordings, look for better genomes, and bring them into production on evidence."""
    if once and stage is not None:
        raise click.UsageError("--once and --stage exclude each other")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s evolver %(levelname)s %(message)s")
    try:
        if once:
            asyncio.run(run_once(config, home))
        elif stage is not None:
            asyncio.run(serve_stage(stage, config, home, host=host, port=port))
        else:
            asyncio.run(serve(config, home, host=host, port=port))
    except EvoGateError as error:
        click.echo(f"evogate evolver: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main(prog_name="evogate evolver")
