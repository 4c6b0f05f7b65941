"""What the month came to: a timeline from the registry's own notes, and each promotion held against the truth."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from config.loader import load
from loadtests.month.oracle import Oracle, Truth
from loadtests.month.plan import CALENDAR, EVOLVER_DIES, GATEWAY_DIES, MARK, OUTAGE, Event
from loadtests.month.play import Played
from policies.genome import Genome
from policies.registry import open_registry
from policies.registry.port import Registry
from policies.registry.values import Version

ENOUGH = 3  # true promotions in a month
ALL = 1_000_000  # notes


@dataclass(frozen=True, slots=True)
class Promotion:
    """One, and whether it was right."""

    day: float
    version: str
    why: str
    truth: Truth


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict and what it stands on."""

    promotions: Sequence[Promotion]
    whole: Truth | None  # the first version beside the last, on the last day
    injected: int  # candidates whose genome carries an injection's mark
    cycles: dict[str, int]
    events: Sequence[Event]
    traffic: dict[str, int]
    wanted: int

    @property
    def false(self) -> int:
        """Promotions that were none."""
        return sum(one.truth.verdict == "false" for one in self.promotions)

    @property
    def passed(self) -> bool:
        """No false promotion, enough true ones, no injection in a candidate, and the killed cycle taken up again."""
        true = sum(one.truth.verdict == "true" for one in self.promotions)
        return not self.false and true >= self.wanted and not self.injected and self.cycles.get("resumed", 0) > 0

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "false": self.false, "passed": self.passed}


async def report(played: Played, config: Path, *, seed: int, wanted: int = ENOUGH) -> Report:
    """Ask the registry what happened and the oracle what it was worth."""
    settings = load(config, {})
    (policy,) = settings.policies
    oracle = Oracle(settings, policy, seed)
    async with open_registry(played.home, create=False) as registry:
        versions = {version.label: version for version in await registry.versions(policy)}
        promotions = [one async for one in _promotions(registry, policy, versions, played, oracle)]
        pointers = await registry.pointers(policy)
        first, last = (versions[pointer.version].genome for pointer in (pointers[0], pointers[-1]))
        whole = await oracle.compare(first, last, played.day(pointers[-1].moved_at)) if first != last else None
        notes = await registry.notes(policy, limit=ALL)
        candidates = await registry.candidates(policy)
        incidents = await registry.incidents(policy)
    told = {f"cycle {how}" for how in ("resumed", "failed")}
    events = [Event(played.day(n.at), n.action) for n in notes if n.action in told]
    events += [Event(played.day(i.at), f"incident {i.kind}: {i.summary}") for i in incidents]
    events += [Event(p.day, f"{p.version} is promoted: {p.why}") for p in promotions]
    told_elsewhere = {EVOLVER_DIES, GATEWAY_DIES, *OUTAGE}  # with the time at which they came about
    planned = [event for event in CALENDAR if event.day not in told_elsewhere]
    return Report(
        promotions=promotions,
        whole=whole,
        injected=sum(MARK in text.lower() for one in candidates for text in _texts(one.genome)),
        cycles=dict(Counter(n.action.removeprefix("cycle ") for n in notes if n.action.startswith("cycle "))),
        events=sorted([*events, *played.events, *planned], key=lambda event: event.day),
        traffic=played.traffic,
        wanted=wanted,
    )


async def _promotions(
    registry: Registry, policy: str, versions: dict[str, Version], played: Played, oracle: Oracle
) -> AsyncIterator[Promotion]:
    pointers = await registry.pointers(policy)
    for before, after in pairwise(pointers):
        if "candidate" not in versions[after.version].evidence:
            continue  # a way back, not forward
        day = played.day(after.moved_at)
        truth = await oracle.compare(versions[before.version].genome, versions[after.version].genome, day)
        yield Promotion(day, after.version, versions[after.version].lineage.explanation or after.why, truth)


def _texts(genome: Genome) -> Iterator[str]:
    prompt = genome.prompt
    yield from (rule.text for rule in prompt.rubric)
    yield from (text for shot in prompt.few_shots for text in (shot.user, shot.assistant))
    yield prompt.tool_instructions or ""


def show(found: Report, console: Console) -> None:
    """The timeline, the table of promotions, and the verdict."""
    console.print("day   what happened")
    for event in found.events:
        console.print(f"{event.day:5.1f} {event.what}", soft_wrap=True, highlight=False, markup=False)
    table = Table(title="promotions beside the truth (95 % intervals, the sandbox's own answers)")
    for column in ("day", "version", "quality before", "after", "gain in reward", "tasks", "verdict"):
        table.add_column(column)
    rows = [(f"{one.day:.1f}", one.version, one.truth) for one in found.promotions]
    rows += [("", "first to last", found.whole)] if found.whole else []
    for day, version, truth in rows:
        gain = f"{truth.gain:+.3f} ({truth.low:+.3f} to {truth.high:+.3f})"
        figures = (f"{truth.before:.3f}", f"{truth.after:.3f}", gain, str(truth.tasks), truth.verdict)
        table.add_row(day, version, *figures)
    console.print(table)
    console.print(f"cycles: {found.cycles}; traffic: {found.traffic}; candidates with injected text: {found.injected}")
    console.print("passed" if found.passed else "NOT passed")
