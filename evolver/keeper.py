"""Keeps the triggers' state in the registry and starts cycles: one at a time, and a dead one is recorded as failed."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from evolver.context import Context
from evolver.cycle import Result
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
    should_trigger,
    to_json,
)
from policies.registry.values import Note

log = logging.getLogger(__name__)

STATE = "triggers"
REQUEST = "trigger"
RECENT_S = 7 * 86_400.0  # outcomes older than that say nothing about present performance
RunCycle = Callable[[str, Context], Awaitable[Result]]
Analyse = Callable[[str, Context], Awaitable[object]]


class Keeper:
    """The states of all policies, as last stored."""

    def __init__(self, run_cycle: RunCycle, analyse: Analyse, clock: Callable[[], float] = time.time) -> None:
        self.states: dict[str, TriggerState] = {}
        self._run_cycle = run_cycle
        self._clock = clock  # a cycle takes a while: its end has a time of its own
        self._analyse = analyse
        self._analysed_at: dict[str, float] = {}

    async def load(self, context: Context) -> None:
        """Read what was stored; a cycle that was running then died with its process."""
        stored = (await context.registry.state(STATE)).get("policies", {})
        for name in context.settings.policies:
            state = from_json(stored.get(name, {}), now=context.now)
            if state.running is not None:
                log.warning("policy %s: the cycle that was running ended with its process", name)
                await _note(context, name, "cycle failed", {"kind": state.running, "error": "the process ended"})
                state = ended(state, changed=False, now=context.now)
            self.states[name] = state
        await self._store(context)

    async def look(self, context: Context) -> None:
        """Run whatever is due. Policies take turns: one cycle at a time."""
        request = request_of(await context.registry.state(REQUEST))
        if request is not None:
            await context.registry.set_state(REQUEST, {})
        for name in context.settings.policies:
            state = self.states.get(name) or from_json({}, now=context.now)
            if request is not None and request.policy in (None, name):
                state = replace(state, request=request)
            self.states[name] = state
            if due(self.states[name], context.settings.evolver, context.now):
                await self._check(name, context)
            elif self._analysis_is_due(name, context):
                self._analysed_at[name] = context.now
                await self._analyse(name, context)

    def _analysis_is_due(self, name: str, context: Context) -> bool:
        last = max(self._analysed_at.get(name, 0.0), self.states[name].last_cycle_at, self.states[name].since)
        return context.now - last >= context.settings.evolver.analyze_every_s

    async def _check(self, name: str, context: Context) -> None:
        state = replace(await refreshed(name, self.states[name], context), last_check_at=context.now)
        trigger = should_trigger(state, context.settings.evolver, context.now)
        self.states[name] = replace(state, request=None)
        if trigger is not None:
            await self._cycle(name, trigger, state, context)
        await self._store(context)

    async def _cycle(self, name: str, trigger: Trigger, state: TriggerState, context: Context) -> None:
        log.info("policy %s: improvement cycle (%s: %s)", name, trigger.kind, trigger.reason)
        self.states[name] = began(state, trigger)
        await self._store(context)
        await _note(context, name, "cycle began", {"kind": trigger.kind, "reason": trigger.reason})
        changed = False
        try:
            result = await self._run_cycle(name, context)
            changed = bool(result.added)
            detail = {"added": list(result.added), "findings": result.findings, "usd": result.usd, "said": result.said}
            log.info("policy %s: %s", name, result.said)
            await _note(context, name, "cycle ended", detail)
        except asyncio.CancelledError:
            raise  # found as running at the next start, and recorded as failed then
        except Exception as error:
            log.exception("policy %s: the improvement cycle failed", name)
            await _note(context, name, "cycle failed", {"kind": trigger.kind, "error": str(error)[:500]})
        self.states[name] = ended(self.states[name], changed=changed, now=self._clock())

    async def _store(self, context: Context) -> None:
        await context.registry.set_state(STATE, {"policies": {n: to_json(s) for n, s in self.states.items()}})


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
