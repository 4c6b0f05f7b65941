"""The `evogate` command. Exit code 0: done; 1: the answer is no; 2: bad usage, with one line that says what to do."""

import click

from gateway.cli import experiments, export, inspect, memory, operate, processes, recordings, verify, versions
from gateway.cli.common import Commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="evogate", prog_name="evogate")
def main() -> None:
    """EvoGate: a sidecar proxy for LLM traffic that improves the prompts behind it, and proves each change."""


for module in (processes, inspect, versions, experiments, operate, memory, recordings, export, verify):
    for command in module.COMMANDS:
        main.add_command(command)
