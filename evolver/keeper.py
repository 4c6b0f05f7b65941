"""Keeps the triggers' state in the registry and starts cycles.

1. One cycle runs at a time across everything that shares a registry: by a lease, renewed while a cycle runs. Whoever
   loses it is cancelled, and what it would still write is refused.
2. What started a cycle is stored before it runs. One whose process ended is taken up again by whoever gets the lease
   next, with the same seed; after `ATTEMPTS` processes it is recorded as failed.
3. An operator's request is forgotten only once it is in the stored state.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from random import Random

from evolver.context import Context
from evolver.cycle import Result
from evolver.metrics import Metrics
from evolver.rebase import REBASED
from evolver.triggers import (
    Trigger,
    TriggerState,
    began,
    deployed,
    due,
    ended,
    from_json,
    request_of,
    resumed,
    should_trigger,
    to_json,
)
from policies.errors import ConflictError
from policies.registry.values import Lease, Note

log = logging.getLogger(__name__)

STATE = "triggers"
REQUEST = "trigger"
LEASE = "cycle"
ATTEMPTS = 3  # processes that may die over one cycle
RENEWALS = 3  # of the lease, within its time
RECENT_S = 7 * 86_400.0  # outcomes older than that say nothing about present performance
RunCycle = Callable[[str, Context], Awaitable[Result]]
Analyse = Callable[[str, Context], Awaitable[object]]


class Keeper:
    """The states of all policies, as last stored."""

    def __init__(
        self,
        run_cycle: RunCycle,
        analyse: Analyse,
        clock: Callable[[], float] = time.time,
        metrics: Metrics | None = None,
    ) -> None:
        self.states: dict[str, TriggerState] = {}
        self.metrics = metrics or Metrics()
        self._run_cycle = run_cycle
        self._clock = clock  # a cycle takes a while: its end has a time of its own
        self._analyse = analyse
        self._holder = secrets.token_hex(8)
        self._lease: Lease | None = None

    async def load(self, context: Context) -> None:
        """Read what was stored."""
        stored = (await context.registry.state(STATE)).get("policies", {})
        self.states = {name: from_json(stored.get(name, {}), now=context.now) for name in context.settings.policies}

    async def look(self, context: Context) -> None:
        """Run whatever is due, one policy after the other; nothing where another evolver has the lease."""
        held = await self._held(context)
        if held is None:
            return
        await self._take_request(held)
        for name in held.settings.policies:
            state = self.states.setdefault(name, from_json({}, now=held.now))
            if state.running is not None:
                await self._resume(name, state, held)
            elif due(state, held.settings.evolver, held.now):
                await self._check(name, held)
            elif _analysis_is_due(state, held):
                self.states[name] = replace(state, last_analysis_at=held.now)
                await self._store(held)
                await self._analyse(name, held)

    async def once(self, name: str, context: Context) -> Result:
        """A cycle now, whatever the triggers say.

        Raises:
            ConflictError: another evolver has the lease. Exception: what the cycle raised.
        """
        held = await self._held(context)
        if held is None:
            raise ConflictError("another evolver of this registry is at work; ask it with `evogate trigger`")
        state = self.states.setdefault(name, from_json({}, now=held.now))
        if state.running is None:
            state = self._began(await refreshed(name, state, held), Trigger("manual", "asked for by --once"), held)
        return await self._cycle(name, state, held)

    async def release(self, context: Context) -> None:
        """Let the next evolver begin at once."""
        if self._lease is not None:
            await context.registry.release_lease(self._lease)
            self._lease = None

    async def _held(self, context: Context) -> Context | None:
        """The round under the lease; what others have stored since is read where it was another's meanwhile."""
        before = self._lease
        self._lease = await self._renewed(context)
        if self._lease is None:
            return None
        if before is None or before.fence != self._lease.fence:
            await self.load(context)
        return replace(context, lease=self._lease)

    async def _renewed(self, context: Context) -> Lease | None:
        now = self._clock()
        until = now + context.settings.evolver.lease_s
        return await context.registry.take_lease(LEASE, self._holder, now=now, until=until)

    async def _take_request(self, context: Context) -> None:
        request = request_of(await context.registry.state(REQUEST))
        if request is None:
            return
        for name in context.settings.policies:
            if request.policy in (None, name):
                state = self.states.setdefault(name, from_json({}, now=context.now))
                self.states[name] = replace(state, request=request)
        await self._store(context)
        await context.registry.set_state(REQUEST, {}, under=context.lease)

    async def _check(self, name: str, context: Context) -> None:
        state = replace(await refreshed(name, self.states[name], context), last_check_at=context.now)
        trigger = should_trigger(state, context.settings.evolver, context.now)
        if trigger is None:
            self.states[name] = replace(state, request=None)
            await self._store(context)
            return
        log.info("policy %s: improvement cycle (%s: %s)", name, trigger.kind, trigger.reason)
        state = self._began(state, trigger, context)
        await self._store(context)
        await _note(context, name, "cycle began", {"kind": trigger.kind, "reason": trigger.reason})
        with suppress(Exception):  # recorded, and the next one may run
            await self._cycle(name, state, context)

    def _began(self, state: TriggerState, trigger: Trigger, context: Context) -> TriggerState:
        return began(state, trigger, seed=context.rng.getrandbits(63), now=context.now)

    async def _resume(self, name: str, state: TriggerState, context: Context) -> None:
        if state.attempts >= ATTEMPTS:
            problem = f"{state.attempts} processes ended in it"
            self.states[name] = ended(state, changed=False, now=self._clock())
            await self._over(name, "failed", {"kind": state.running, "error": problem}, context)
            return
        log.warning("policy %s: the cycle whose process ended goes on", name)
        await _note(context, name, "cycle resumed", {"kind": state.running, "attempt": state.attempts + 1})
        with suppress(Exception):
            await self._cycle(name, resumed(state), context)

    async def _cycle(self, name: str, state: TriggerState, context: Context) -> Result:
        """Run one to its end, with the seed and the time that it began with, and write down what came of it."""
        self.states[name] = state
        await self._store(context)
        began_s = self._clock()
        try:
            result = await self._under_lease(name, of_cycle(state, context))
        except asyncio.CancelledError:
            raise  # found as running by whoever comes next
        except Exception as error:
            log.exception("policy %s: the improvement cycle failed", name)
            self.states[name] = ended(self.states[name], changed=False, now=self._clock())
            await self._over(name, "failed", {"kind": state.running, "error": str(error)[:500]}, context)
            raise
        log.info("policy %s: %s", name, result.said)
        self.states[name] = ended(self.states[name], changed=bool(result.added), now=self._clock())
        self.metrics.cycle(result, self._clock() - began_s)
        detail = {"added": list(result.added), "findings": result.findings, "usd": result.usd, "said": result.said}
        await self._over(name, "ended", detail, context)
        return result

    async def _under_lease(self, name: str, context: Context) -> Result:
        """The cycle, cancelled as soon as the lease is another's.

        Raises:
            ConflictError: it was lost.
        """
        work = asyncio.ensure_future(self._run_cycle(name, context))
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=context.settings.evolver.lease_s / RENEWALS)
                if not work.done() and await self._renewed(context) is None:
                    raise ConflictError("the lease was lost: another evolver goes on with the cycle")
            return work.result()
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await work

    async def _over(self, name: str, how: str, detail: dict[str, object], context: Context) -> None:
        await self._store(context)
        self.metrics.cycles.labels(how).inc()
        await _note(context, name, f"cycle {how}", detail)
        context.webhook.send("cycle", name, self._clock(), {"outcome": how, **detail})

    async def _store(self, context: Context) -> None:
        stored = {"policies": {name: to_json(state) for name, state in self.states.items()}}
        await context.registry.set_state(STATE, stored, under=context.lease)


def of_cycle(state: TriggerState, context: Context) -> Context:
    """The context of the running cycle: its draws are the same whichever process runs it."""
    return replace(context, rng=Random(state.seed), cycle=f"{state.seed:016x}")  # noqa: S311 (samples, not secrets)


def _analysis_is_due(state: TriggerState, context: Context) -> bool:
    last = max(state.last_analysis_at, state.last_cycle_at, state.since)
    return context.now - last >= context.settings.evolver.analyze_every_s


async def refreshed(name: str, state: TriggerState, context: Context) -> TriggerState:
    """The state with the counts as they are now."""
    pointer = await context.registry.production(name)
    if pointer is not None and pointer.moved_at > state.last_deployment_at:
        state = deployed(state, now=pointer.moved_at)
    # Performance is that of the version in production, not of its predecessors.
    since = max(context.now - RECENT_S, state.last_deployment_at)
    performance, outcomes = await context.store.performance(name, since=since)
    live = await context.registry.candidates(name, live=True)
    waiting = sum(candidate.state in REBASED for candidate in live)
    learnings = await context.store.learnings(name, since=state.last_deployment_at)
    return replace(state, performance=performance, outcomes=outcomes, learnings=learnings, waiting=waiting)


async def _note(context: Context, policy: str, action: str, detail: dict[str, object]) -> None:
    await context.registry.note(Note(context.now, policy, "evolver", action, policy, detail))
