"""The live screen: what happens as it happens."""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from gateway.cli.live import gateway_status
from gateway.demo.director import POLICY
from gateway.demo.measure import Measured, figures
from gateway.demo.tally import Answer
from policies.lifecycle import STATES
from policies.registry.values import Candidate, Incident

if TYPE_CHECKING:
    from gateway.demo.play import Stage

REFRESH_S = 0.5
RECENT_S = 30.0
SHOWN = 9
WAY: tuple[str, ...] = STATES[:7]


async def show(stage: "Stage") -> None:
    """Draw until cancelled; without a terminal, one line every ten seconds."""
    console = Console(stderr=True)
    if not console.is_terminal:
        while True:
            await asyncio.sleep(10.0)
            stage.tally.update()
            console.print(await headline(stage), soft_wrap=True)
    shown: RenderableType = ""
    try:
        with Live(console=console, auto_refresh=False, screen=True) as live:
            while True:
                stage.tally.update()
                shown = await picture(stage)
                live.update(shown, refresh=True)
                await asyncio.sleep(REFRESH_S)
    finally:
        console.print(shown)  # the last picture stays when the screen goes back


async def headline(stage: "Stage") -> str:
    """One line: requests, version, present quality."""
    pointer = await stage.registry.production(POLICY)
    version = pointer.version if pointer else "none"
    recent = _recent(stage, version)
    quality = figures(recent)["quality"]
    return f"{len(stage.tally.answers)} requests; {version} in production, quality {_percent(quality)}; {stage.act}"


async def picture(stage: "Stage") -> RenderableType:
    """The whole screen."""
    pointer = await stage.registry.production(POLICY)
    candidates = await stage.registry.candidates(POLICY)
    incidents = await stage.registry.incidents(POLICY)
    present = pointer.version if pointer else "v1.0"
    return Group(
        Panel(f"[bold]EvoGate[/] · {len(stage.tally.answers)} requests · {stage.act}"),
        _arms(await asyncio.to_thread(gateway_status, stage.home)),
        _versions(stage, present),
        _way(candidates),
        _incidents(incidents),
    )


def _arms(status: dict[str, object] | None) -> Table:
    table = Table(title="arms", title_justify="left", expand=True)
    keys = ("label", "role", "share", "posterior", "evidence")
    for key in keys:
        table.add_column(key)
    arms = (status or {}).get("arms", [])
    for arm in arms if isinstance(arms, list) else []:
        table.add_row(*(str(arm.get(key, "")) for key in keys))
    return table


def _versions(stage: "Stage", present: str) -> Table:
    table = Table(title="version 1.0 beside the present one (95 % intervals)", title_justify="left", expand=True)
    for column in ("version", "quality", "p95", "cost per 1,000 requests", "valid without repair", "conversations"):
        table.add_column(column)
    for label in dict.fromkeys(("v1.0", present)):
        found = figures(_recent(stage, label))
        cost = found["cost_usd_per_request"]
        table.add_row(
            label, _percent(found["quality"]), f"{found['p95_ms'].mean:.0f} ms", f"${cost.mean * 1000:.3f}",
            _percent(found["robustness"]), str(found["quality"].n),
        )  # fmt: skip
    return table


def _recent(stage: "Stage", label: str) -> list[Answer]:
    """First answers of production under `label`: of the last half minute, or the last there were."""
    answers = [a for a in stage.tally.firsts(since=0.0) if a.version == label and a.role == "production"]
    rated = [answer for answer in answers if answer.score is not None]
    since = time.time() - RECENT_S
    return [answer for answer in rated if answer.at >= since] or rated[-2000:]


def _way(candidates: Sequence[Candidate]) -> Table:
    table = Table(title="candidates", title_justify="left", expand=True)
    for column in ("id", "layer", "source", "way", "why"):
        table.add_column(column, no_wrap=column == "way")
    for candidate in candidates[-SHOWN:]:
        source = f"{candidate.lineage.source}: {candidate.lineage.operator}"
        table.add_row(candidate.id[:8], candidate.layer, source, _stations(candidate), candidate.reason)
    return table


def _stations(candidate: Candidate) -> str:
    if candidate.state in WAY:
        return (
            " ".join("●" if WAY.index(candidate.state) >= i else "○" for i in range(len(WAY))) + f" {candidate.state}"
        )
    colour = "red" if candidate.state == "rolled_back" else "yellow"
    return f"[{colour}]{candidate.state.replace('_', ' ')}[/]"


def _incidents(incidents: Sequence[Incident]) -> Table:
    table = Table(title="incidents", title_justify="left", expand=True)
    for column in ("kind", "what"):
        table.add_column(column)
    for incident in incidents[-3:]:
        table.add_row(f"[red]{incident.kind}[/]", incident.summary)
    return table


def _percent(figure: Measured) -> str:
    if not figure.n:
        return "—"
    return f"{100 * figure.mean:.1f} % ({100 * max(figure.low, 0):.1f}-{100 * min(figure.high, 1):.1f})"
