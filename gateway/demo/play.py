"""The demo from its first conversation to its report."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click
import orjson

from gateway.cli.supervisor import Supervisor
from gateway.demo.director import compare_with_first, end_of, harm
from gateway.demo.report import Received, report
from gateway.demo.screen import show
from gateway.demo.tally import Tally
from policies.registry import open_registry
from policies.registry.port import Registry
from policies.registry.values import Holdback

RATE = 65.0  # conversations a second
HARM_AT = 0.4  # share of the demo's time after which the harmful candidate is waved through
CLOSING = 45.0 / 300.0  # share of the demo's time that compares v1.0 with the final version
ENDLESS_HARM_AT_S = 120.0
QUESTIONS = Path(__file__).parents[3] / "shared" / "data" / "routing_outcomes.csv"

T = TypeVar("T")


@dataclass(slots=True)
class Stage:
    """What the acts of the demo share."""

    registry: Registry
    tally: Tally
    home: Path
    stop: asyncio.Event
    holdback: Holdback | None = None
    act: str = "conversations arrive; the evolver reads their recordings"


async def play(
    home: Path,
    gateway: str,
    environ: Mapping[str, str],
    *,
    seed: int,
    seconds: float | None,
    as_json: bool,
    stop: asyncio.Event,
) -> int:
    """Run the demo; the exit code. Without `seconds` it goes on until `stop`, and has no closing comparison."""
    traffic = Supervisor(lambda line: click.echo(line, err=True))
    log = home / "answers.jsonl"
    async with open_registry(home) as registry:
        stage = Stage(registry, Tally(home / "spool"), home, stop)
        screen = asyncio.create_task(show(stage)) if not as_json else None
        try:
            await traffic.start("traffic", _traffic(gateway, log, seed), environ)
            await _acts(stage, seconds)
        finally:
            await traffic.stop()
            if screen is not None:
                screen.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await screen
        if seconds is not None or as_json:
            stage.tally.update()
            found = await report(registry, stage.tally, Received(log), stage.holdback)
            sys.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n")
    click.echo(f"the demo's recordings stay in {home}: try `evogate history --home {home}`", err=True)
    return 0


def _traffic(gateway: str, log: Path, seed: int) -> list[str]:
    questions = ["--questions", str(QUESTIONS)] if QUESTIONS.exists() else []
    wanted = ["--base-url", f"{gateway}/v1", "--answers", str(log), "--rate", str(RATE), "--seed", str(seed)]
    return ["gateway.demo.traffic", *wanted, *questions]


async def _acts(stage: Stage, seconds: float | None) -> None:
    began = time.monotonic()

    def left(share: float) -> float:
        return began + (seconds or 0.0) * share - time.monotonic()

    if await _stopped(stage, left(HARM_AT) if seconds else ENDLESS_HARM_AT_S):
        return
    harmful = asyncio.create_task(_harm(stage))
    try:
        if await _stopped(stage, left(1.0 - CLOSING) if seconds else None):
            return
    finally:
        harmful.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await harmful
    stage.act = "closing comparison: conversations go half and half to v1.0 and the final version"
    _, stage.holdback = await compare_with_first(stage.registry, 0.5)
    await _stopped(stage, left(1.0))


async def _harm(stage: Stage) -> None:
    """Until one was rolled back: a canary whose production changes meanwhile ends without a verdict."""
    state = ""
    while state != "rolled_back":
        stage.act = "an operator waves a harmful candidate straight to canary"
        candidate = await harm(stage.registry, stage.home)
        stage.act = f"the breaker watches harmful candidate {candidate.id[:8]}"
        state = await end_of(stage.registry, candidate)
        stage.act = f"harmful candidate {candidate.id[:8]} is {state.replace('_', ' ')}; improvement goes on"


async def _stopped(stage: Stage, after_s: float | None) -> bool:
    """Wait so long (None: for ever); True where the user stopped it meanwhile."""
    return await _finishes(stage.stop.wait(), after_s)


async def _finishes(work: Awaitable[T], within_s: float | None) -> bool:
    try:
        await asyncio.wait_for(work, within_s)
    except TimeoutError:
        return False
    return True
