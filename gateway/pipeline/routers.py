"""The policies' routers: what they have learnt outlives their process, and reaches the other workers.

1. Each writer keeps one row in the registry of what it has learnt itself; the others add it to what they know.
2. This happens every `EVERY_S`, and at the end, off the request path; rows are packed and unpacked in a thread.
3. A row that can't be read is left: a router that knows less still decides.
"""

import asyncio
import logging
from collections.abc import Iterable

from policies.registry.port import Registry
from policies.registry.values import Lease, Totals
from policies.strategy.lore import Lore
from policies.strategy.router import Choice, Router

log = logging.getLogger("evogate.router")

EVERY_S = 15.0


class Routers:
    """One worker's, by policy."""

    def __init__(self) -> None:
        self._writer = ""
        self._routers: dict[str, Router] = {}
        self._told: dict[str, int] = {}  # policy -> changes of its router when it was last told
        self._heard: dict[tuple[str, str], tuple[float, Lore]] = {}  # (policy, writer) -> when it was written, and what
        self._tell_at = self._hear_at = 0.0

    def of(self, policy: str, choices: tuple[Choice, ...]) -> Router | None:
        """A policy's router; it keeps what it has learnt of the models that are still there where choices change."""
        known = self._routers.get(policy)
        if known is None or known.choices != choices:
            fresh = Router(choices)
            for (name, writer), (_, lore) in self._heard.items():
                if name == policy and (known is None or writer != self._writer):
                    fresh.take(lore, own=writer == self._writer)
            if known is not None:
                fresh.take(known.lore(), own=True)
            known = self._routers[policy] = fresh
            self._told[policy] = known.changes
        return known if choices else None

    def keep(self, policies: Iterable[str]) -> None:
        """Forget those of policies that are no more."""
        self._routers = {name: self._routers[name] for name in policies if name in self._routers}

    async def begin(self, registry: Registry, writer: str) -> None:
        """What this writer and the others had learnt: before anything is routed, or added to what was learnt since."""
        self._writer = writer
        await self._read(registry, own=True)

    async def tell(self, registry: Registry, now: float, *, last: bool = False, under: Lease | None = None) -> None:
        """Write what is new, where it is due, or where nothing will follow. `now` in Unix seconds."""
        if now < self._tell_at and not last:
            return
        self._tell_at = now + EVERY_S
        rows = []
        for policy, router in self._routers.items():
            changes = router.changes
            if changes != self._told[policy]:
                self._told[policy] = changes
                data = await asyncio.to_thread(router.lore().to_json)
                rows.append(Totals("router", policy, self._writer, 0, data, now, now))
        if rows:
            await registry.put_totals(rows, under=under)

    async def hear(self, registry: Registry, now: float) -> None:
        """Read what the others have written, where it is due."""
        if now >= self._hear_at and any(router.choices for router in self._routers.values()):
            self._hear_at = now + EVERY_S
            await self._read(registry, own=False)

    async def _read(self, registry: Registry, *, own: bool) -> None:
        for row in await registry.totals("router"):
            key = row.subject, row.writer
            before = self._heard.get(key)
            if (row.writer == self._writer and not own) or (before is not None and before[0] == row.updated_at):
                continue
            try:
                lore = await asyncio.to_thread(Lore.from_json, row.data)
            except ValueError as error:
                log.warning("policy %s, writer %s: %s", row.subject, row.writer, error)
                continue
            self._heard[key] = row.updated_at, lore
            router = self._routers.get(row.subject)
            if router is not None:
                told = router.changes == self._told[row.subject]
                router.take(lore, before[1] if before is not None else None, own=row.writer == self._writer)
                if told:
                    self._told[row.subject] = router.changes
