"""`evogate export`: the work is the evolver's, which alone knows what recordings are worth."""

import os
import sys

import click


@click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def export(arguments: tuple[str, ...]) -> None:
    """Export recordings as a golden set or as fine-tuning JSONL; see `evogate export --help`."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "evolver.golden", *arguments])  # noqa: S606 (our own module)


COMMANDS = (export,)
