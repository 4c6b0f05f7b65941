"""One round over all live candidates: ask the stations, carry their moves out."""

import logging

from evolver.context import QUIET, Context, frozen
from evolver.rebase import REBASED, rebased
from evolver.stations import Line, Move
from evolver.stations.base import wait
from policies.errors import ConflictError, EvoGateError
from policies.registry.values import Candidate

log = logging.getLogger(__name__)


async def step_all(stations: Line, context: Context) -> int:
    """Move whatever can move; the number of candidates that did. One candidate's trouble never stops the others."""
    troubled = await _troubled(context)
    moved = 0
    for candidate in await context.registry.candidates(live=True):
        if candidate.policy in troubled:
            continue
        # Asked before each one: a judge may have taken a while, and "stop" means now.
        if await frozen(context.registry):
            break
        try:
            moved += await _step(stations, candidate, context)
        except ConflictError as error:
            log.info("candidate %s: changed meanwhile, looked at again in the next round (%s)", candidate.id, error)
        except EvoGateError as error:
            log.warning("candidate %s: %s", candidate.id, error)
    return moved


async def _troubled(context: Context) -> set[str]:
    """Policies whose provider is out: what is measured now says nothing, so learning rests, for a breaker's window.

    No longer: failures that rose on every arm and stay are what is asked now, and comparisons are side by side anyway.
    """
    open_ = (i for i in await context.registry.incidents() if i.kind == "PROVIDER" and i.resolved_at is None)
    return {i.policy for i in open_ if context.now - i.at < _window_s(i.policy, context)}


def _window_s(policy: str, context: Context) -> float:
    settings = context.policy(policy)
    return settings.breaker.window_s if settings is not None else float("inf")


async def _step(stations: Line, candidate: Candidate, context: Context) -> bool:
    if candidate.state in REBASED and await rebased(candidate, context):
        return True
    if candidate.state == "judged" and context.quiet:
        rest = wait(candidate, QUIET)
        if rest is not None:
            await carry_out(rest, candidate, context)
        return False
    for station in stations.get(candidate.state, ()):
        move = await station.step(candidate, context)
        if move is not None:
            await carry_out(move, candidate, context)
            return move.event is not None
    return False


async def carry_out(move: Move, candidate: Candidate, context: Context) -> Candidate:
    """Write a move to the registry.

    Raises:
        ConflictError: the candidate has changed since it was read.
    """
    if move.event is not None:
        log.info("candidate %s (%s): %s", candidate.id, candidate.policy, move.reason)
    return await context.registry.advance(
        candidate,
        move.event,
        who="evolver",
        reason=move.reason,
        now=context.now,
        station=move.station,
        measured=move.measured or None,
    )
