"""What a writer that no longer runs has left behind: fewer workers are started than before.

Its recordings stay where they are, for the evolver and for everybody who looks a request up. But it had units in its
queues whose outcomes or deadlines nobody waits for any more, rewards that it had not told, and a watermark that would
hold the others back. So another worker replays its recordings, settles them in its name, and says at the end that it
waits for nothing.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from gateway.pipeline.core import Core
from gateway.pipeline.live import LiveEvidence
from gateway.pipeline.outages import Outages
from gateway.pipeline.posteriors import Posteriors
from gateway.pipeline.recent import RecentRequests
from gateway.pipeline.replay import Replay
from policies.evidence.ledger import FOLDED
from policies.registry.values import Totals

FOREVER = 1e11  # Unix seconds: a watermark that holds nobody back


class Estate:
    """One writer's evidence and rewards, in memory until they are told. `core` is the heir's."""

    def __init__(self, core: Core, writer: str) -> None:
        self.settled = False
        self.epoch = core.epoch
        self.mirror = core.mirror
        self.pins_of = core.pins_of
        self.evidence = LiveEvidence(writer)
        self.evidence.follow(core.epoch.policies.values())
        self.posteriors = Posteriors(writer)
        self.recent = RecentRequests()
        self.outages = Outages()
        self._now = core.now

    async def read(self, directory: Path, rows: Iterable[Totals], *, idle_s: float) -> None:
        """Replay what matters of its recordings; `rows` are the posteriors in the registry."""
        counted_until = self.posteriors.take(rows, own=True)
        replay = Replay(self, now=self._now(), idle_s=idle_s, counted_until=counted_until)
        await asyncio.to_thread(replay.run, directory)

    def rows(self, now: float) -> Iterator[Totals]:
        """What the registry is to hear in its name; once `settled`, for the last time."""
        for _ in self.evidence.judge(now):
            pass  # the heir's own verdicts see these sums as a peer's
        self.settled = all(run.evidence.watermark(now) >= now for run in self.evidence.running.values())
        yield from self.posteriors.rows(now)
        for row in self.evidence.rows(now):
            yield _last(row) if self.settled else row


def _last(row: Totals) -> Totals:
    if row.bucket != FOLDED:
        return row
    data = row.data | {"watermark": dict.fromkeys(row.data["watermark"], FOREVER)}
    return replace(row, data=data, watermark=FOREVER)
