"""Lets old rows of the analysis database go, an hour apart, and never those of a comparison that still runs."""

import logging

from evolver.context import Context

log = logging.getLogger(__name__)

EVERY_S = 3_600.0


class Retirement:
    """When it was last done."""

    def __init__(self) -> None:
        self._at = float("-inf")

    async def look(self, context: Context) -> int:
        """Fold what is older than `evolver.retain_s` into totals; how many requests went."""
        retain_s = context.settings.evolver.retain_s
        if retain_s is None or context.now - self._at < EVERY_S:
            return 0
        self._at = context.now
        before = min([context.now - retain_s, *await _needed(context)])
        total = 0
        while gone := await context.store.retire(before=before):
            total += gone
        if total:
            log.info("analysis database: %d requests older than %.0f days are totals now", total, retain_s / 86_400)
        return total


async def _needed(context: Context) -> list[float]:
    """Since when each running comparison has counted."""
    running = [experiment.started_at for experiment in await context.registry.experiments(running=True)]
    return running + [holdback.since for holdback in await context.registry.holdbacks()]
