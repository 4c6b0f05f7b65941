"""`evogate verify`: whether the recordings are what the gateway wrote, and whether they lead to the same decisions."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from gateway.cli.common import existing, home_option, json_option, print_json, with_registry
from gateway.pipeline.spool import read_anchors
from gateway.recording import ChainReport, Head, tail, verify_chain, writers
from gateway.recording.retired import read_retired
from gateway.workers.names import numbered_like
from policies.registry.port import Registry
from policies.verification import DiffersError, Facts, PolicyFacts, Recomputation, Report

_WHOLE_TRAIL = 1 << 40
_TRIES = 10


@click.command()
@click.option("--rate", is_flag=True, help="Print how many records were decided again in a second of processor time.")
@home_option
@json_option
def verify(rate: bool, home: Path, as_json: bool) -> None:
    """Decide again whatever was decided, from the recordings and the registry's trail.

    First the recordings' hash chain is checked against the heads anchored in the registry: what was changed, removed
    or added after it was written, up to the last anchor (at most 10 s old while the gateway runs). Then draws, failure
    classes, rewards, gates, shadows, the judge's scores, rollbacks and ejections, promotions, alarms, thresholds, steps
    of candidates and moves of production are computed again, to the last bit, from the recorded fields; bodies are not
    needed. What can't be is counted with the reason.
    Nothing vouches for records where both spool and registry were replaced.

    Exit code 1 where something differs: a line for each place where the chain breaks, and the first decision that
    does not come out again.
    """
    spool = existing(home) / "spool"
    began = time.process_time()
    # Anchors first: a gateway that runs may set newer ones than what has been read of its spool by then.
    anchors = with_registry(home, lambda registry: _anchors(registry, writers(spool)))
    reports = {writer: verify_chain(spool / writer, heads) for writer, heads in anchors.items()}
    until = time.time()
    facts = with_registry(home, lambda registry: facts_of(registry, home))
    report, differs = recompute(facts, spool, until)
    took_s = time.process_time() - began
    records = sum(chain.records for chain in reports.values())
    right = differs is None and all(chain.ok for chain in reports.values())
    if as_json:
        decisions = {"right": report.right, "left_out": report.left_out, "differs": differs and str(differs)}
        print_json({"right": right, "writers": reports, "decisions": decisions, "seconds": took_s})
    else:
        _print(reports, report, differs)
        if rate:
            click.echo(f"{records} records in {took_s:.2f} s: {records / max(took_s, 1e-9):,.0f} a second")
    sys.exit(0 if right else 1)


def recompute(facts: Facts, spool: Path, until: float) -> tuple[Report, DiffersError | None]:
    """What came out again, and the first thing that did not.

    Records from after `until` (Unix seconds) have to wait: they may rest on rows that came after the facts were read.
    """
    check = Recomputation(facts)
    try:
        check.rows()
        for writer, _, frame in tail(spool):
            if frame.get("at", 0.0) <= until:
                check.frame(writer, frame)
            else:
                check.report.left_out["records: written meanwhile"] += 1
        check.finish()
    except DiffersError as error:
        return check.report, error
    return check.report, None


async def _anchors(registry: Registry, present: list[str]) -> dict[str, list[Head]]:
    """By writer: those that have a folder, and gateway workers that should have one."""
    found = {writer: await read_anchors(registry, writer) for writer in present}
    for beginning in {"w", *map(numbered_like, present)}:
        number = 0
        while (heads := await read_anchors(registry, f"{beginning}{number}")) or f"{beginning}{number}" in found:
            found[f"{beginning}{number}"] = heads
            number += 1
    return dict(sorted(found.items()))


async def facts_of(registry: Registry, home: Path) -> Facts:
    """What the registry of a data folder holds, and how far its recordings reach back.

    Read again where somebody wrote meanwhile: a row and its note must be of one time.
    """
    for _ in range(_TRIES):
        before = await registry.changed()
        facts = await _read(registry, home)
        if await registry.changed() == before:
            break
    return facts


async def _read(registry: Registry, home: Path) -> Facts:
    notes = await registry.notes(limit=_WHOLE_TRAIL)
    names = {note.policy for note in notes if note.policy} | {*(await registry.state("policies")).get("names", [])}
    elsewhere = await _elsewhere(registry, writers(home / "spool"))
    policies = {}
    for name in sorted(names):
        policies[name] = PolicyFacts(
            name,
            versions=await registry.versions(name),
            pointers=await registry.pointers(name),
            candidates=await registry.candidates(name),
            experiments=await registry.experiments(name),
            incidents=await registry.incidents(name),
            notes=[note for note in notes if note.policy == name],
            elsewhere=elsewhere,
        )
    secret, spool = home / "secret", home / "spool"
    retired = {writer: read_retired(spool / writer).rows for writer in writers(spool)}
    reach = {writer: max((row.last_at for row in rows), default=0.0) for writer, rows in retired.items()}
    return Facts(policies, notes, secret.read_bytes() if secret.exists() else None, reach)


async def _elsewhere(registry: Registry, present: list[str]) -> frozenset[str]:
    """The experiments that writers of other machines took part in."""
    here = {"w", *map(numbered_like, present)}
    return frozenset(row.subject for row in await registry.totals("evidence") if numbered_like(row.writer) not in here)


def _print(reports: dict[str, ChainReport], report: Report, differs: DiffersError | None) -> None:
    for writer, chain in reports.items():
        for flaw in chain.flaws:
            click.echo(f"{writer}: {flaw}")
        if chain.ok:
            click.echo(
                f"{writer}: right: {chain.records} records in {chain.segments} segments, {chain.links} links, "
                f"{chain.anchors} anchors; {chain.unlinked} records are newer than the last link"
            )
    if not reports:
        click.echo("nothing is recorded yet")
    if differs is not None:
        click.echo(f"differs: {differs}")
    _counted("right", report.right)
    _counted("not computed again", report.left_out)


def _counted(title: str, counts: Any) -> None:
    for what, count in sorted(counts.items()):
        if count:
            click.echo(f"{title}: {count} {what}")


COMMANDS = (verify,)
