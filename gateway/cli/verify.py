"""`evogate verify`: whether the recordings are what the gateway wrote."""

import sys
from pathlib import Path

import click

from gateway.cli.common import existing, home_option, json_option, print_json, with_registry
from gateway.pipeline.spool import read_anchors
from gateway.recording import ChainReport, Head, verify_chain, writers
from policies.registry.port import Registry


@click.command()
@home_option
@json_option
def verify(home: Path, as_json: bool) -> None:
    """Check the recordings' hash chain against the heads anchored in the registry.

    It finds what was changed, removed, swapped or added after it was written, up to the last anchor (at most 10 s old
    while the gateway runs). It verifies the chain of the recordings only: it does not recompute the decisions that
    were drawn from them, and nothing vouches for records where both spool and registry were replaced.

    Exit code 1 where something differs, with a line for each place.
    """
    spool = existing(home) / "spool"
    # Anchors first: a gateway that runs may set newer ones than what has been read of its spool by then.
    anchors = with_registry(home, lambda registry: _anchors(registry, writers(spool)))
    reports = {writer: verify_chain(spool / writer, heads) for writer, heads in anchors.items()}
    right = all(report.ok for report in reports.values())
    if as_json:
        print_json({"verified": "chain", "right": right, "writers": reports})
    else:
        _print(reports)
    sys.exit(0 if right else 1)


async def _anchors(registry: Registry, present: list[str]) -> dict[str, list[Head]]:
    """By writer: those that have a folder, and gateway workers that should have one."""
    found = {writer: await read_anchors(registry, writer) for writer in present}
    number = 0
    while (heads := await read_anchors(registry, f"w{number}")) or f"w{number}" in found:
        found[f"w{number}"] = heads
        number += 1
    return dict(sorted(found.items()))


def _print(reports: dict[str, ChainReport]) -> None:
    for writer, report in reports.items():
        for flaw in report.flaws:
            click.echo(f"{writer}: {flaw}")
        if report.ok:
            click.echo(
                f"{writer}: right: {report.records} records in {report.segments} segments, {report.links} links, "
                f"{report.anchors} anchors; {report.unlinked} records are newer than the last link"
            )
    if not reports:
        click.echo("nothing is recorded yet")


COMMANDS = (verify,)
