"""When to start an improvement cycle: one pure decision over a persisted state.

Order of the rules: an operator's request, then the performance, the count of learnings, the schedules, the age.
One cycle runs at a time; after a cycle that changed nothing, the performance rule rests until there are new learnings
and `check_every_s` has passed.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from cronsim import CronSim, CronSimError

from config.evolving import Evolver
from policies.errors import OperatorError

Kind = Literal["manual", "performance", "learnings", "evolve", "schedule", "days"]
DAY_S = 86_400.0
FULL = 6  # candidates that wait: more would only grow old; an operator may ask all the same
MIN_OUTCOMES = 20  # fewer say nothing about performance


@dataclass(frozen=True, slots=True)
class Request:
    """An operator's `evogate trigger`; with `simulate_learnings` it tests the learnings rule instead of forcing."""

    at: float
    who: str = "operator"
    simulate_learnings: int = 0
    policy: str | None = None  # None: every policy


@dataclass(frozen=True, slots=True)
class TriggerState:
    """What the decision needs to know of one policy. Times are Unix seconds."""

    since: float  # the evolver's first sight of the policy: ages count from here before anything has happened
    last_check_at: float = 0.0
    last_analysis_at: float = 0.0  # of the analysis that has a period of its own
    last_cycle_at: float = 0.0
    last_cycle_changed: bool = True  # it put a candidate on its way
    last_deployment_at: float = 0.0
    learnings: int = 0  # distinct units since the last deployment
    learnings_at_cycle: int = 0
    performance: float | None = None  # mean reward of recent production outcomes, 0..1
    outcomes: int = 0  # how many of them there are
    cycles: int = 0
    waiting: int = 0  # candidates on their way to a canary
    running: Kind | None = None
    seed: int = 0  # of the running cycle: a resumed one draws the same
    began_at: float = 0.0
    attempts: int = 0  # processes that have worked on it
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """Start a cycle, and why."""

    kind: Kind
    reason: str


def should_trigger(state: TriggerState, settings: Evolver, now: float) -> Trigger | None:
    """The first rule that holds; None where none does or a cycle is running."""
    if state.running is not None:
        return None
    rules = _RULES if state.waiting < FULL else _RULES[:1]
    for rule in rules:
        trigger = rule(state, settings, now)
        if trigger is not None:
            return trigger
    return None


def due(state: TriggerState, settings: Evolver, now: float) -> bool:
    """True where the automatic rules are to be looked at: every `check_every_s`, or on request."""
    return (
        state.request is not None
        or now - max(state.last_check_at, state.last_cycle_at) >= settings.triggers.check_every_s
    )


def _manual(state: TriggerState, settings: Evolver, now: float) -> Trigger | None:  # noqa: ARG001 (the rules share one signature)
    request = state.request
    if request is None or request.simulate_learnings:
        return None
    return Trigger("manual", f"asked for by {request.who}")


def _performance(state: TriggerState, settings: Evolver, now: float) -> Trigger | None:
    if state.performance is None or state.outcomes < MIN_OUTCOMES:
        return None
    if state.performance >= settings.triggers.performance or not _rested(state, settings, now):
        return None
    wanted = settings.triggers.performance
    return Trigger("performance", f"mean reward {state.performance:.3f} is below {wanted:g}")


def _rested(state: TriggerState, settings: Evolver, now: float) -> bool:
    if state.cycles == 0:
        return True
    # A day on the default clock, shorter where the whole loop runs faster.
    rest_s = min(DAY_S, settings.evolve_every_s / 3)
    rested = now - state.last_cycle_at >= rest_s
    return rested and (state.last_cycle_changed or state.learnings > state.learnings_at_cycle)


def _learnings(state: TriggerState, settings: Evolver, now: float) -> Trigger | None:  # noqa: ARG001 (as above)
    simulated = state.request.simulate_learnings if state.request else 0
    # After a cycle, as many new ones again: the same learnings don't start it twice.
    fresh = max(state.learnings - state.learnings_at_cycle, 0) + simulated
    if fresh < settings.triggers.learnings:
        return None
    note = f" ({simulated} of them simulated)" if simulated else ""
    return Trigger("learnings", f"{fresh} learnings{note}, {settings.triggers.learnings} start a cycle")


def _evolve(state: TriggerState, settings: Evolver, now: float) -> Trigger | None:
    if now - max(state.last_cycle_at, state.since) < settings.evolve_every_s:
        return None
    return Trigger("evolve", f"every {settings.evolve_every_s:g} s")


def _schedule(state: TriggerState, settings: Evolver, now: float) -> Trigger | None:
    if settings.schedule is None:
        return None
    fires_at = next_fire(settings.schedule, max(state.last_cycle_at, state.since))
    return Trigger("schedule", f"cron line '{settings.schedule}'") if fires_at <= now else None


def _days(state: TriggerState, settings: Evolver, now: float) -> Trigger | None:
    last = max(state.last_deployment_at, state.last_cycle_at, state.since)
    if now - last < settings.triggers.days * DAY_S:
        return None
    return Trigger("days", f"{settings.triggers.days:g} days without a change")


_RULES: tuple[Callable[[TriggerState, Evolver, float], Trigger | None], ...] = (
    _manual,
    _performance,
    _learnings,
    _schedule,
    _evolve,
    _days,
)


def next_fire(line: str, after: float) -> float:
    """When the cron line fires next after that time (both Unix seconds, the line in UTC).

    Raises:
        OperatorError: it is no cron line.
    """
    try:
        return next(CronSim(line, datetime.fromtimestamp(after, UTC))).timestamp()
    except CronSimError as error:
        raise OperatorError(
            f"evolver.schedule: '{line}' is no cron line ({error}); write one such as '0 2 * * *'"
        ) from error
    except StopIteration:
        return float("inf")


def began(state: TriggerState, trigger: Trigger, *, seed: int, now: float) -> TriggerState:
    """The state while the cycle runs; the request is used up."""
    return replace(state, running=trigger.kind, seed=seed, began_at=now, attempts=1, request=None)


def resumed(state: TriggerState) -> TriggerState:
    """The state of a cycle whose process ended, taken up by another."""
    return replace(state, attempts=state.attempts + 1)


def ended(state: TriggerState, *, changed: bool, now: float) -> TriggerState:
    """The state after the cycle."""
    return replace(
        state,
        running=None,
        attempts=0,
        last_cycle_at=now,
        last_cycle_changed=changed,
        learnings_at_cycle=state.learnings,
        cycles=state.cycles + 1,
    )


def deployed(state: TriggerState, *, now: float) -> TriggerState:
    """The state after production changed: the counters start again."""
    return replace(state, last_deployment_at=now, learnings=0, learnings_at_cycle=0)


def to_json(state: TriggerState) -> dict[str, Any]:
    """What is stored."""
    return asdict(state)


def from_json(stored: dict[str, Any], *, now: float) -> TriggerState:
    """The stored state, or that of a policy never seen; keys of other versions are ignored."""
    known = {name: value for name, value in stored.items() if name in TriggerState.__slots__}
    known["request"] = request_of(known.get("request") or {})
    return TriggerState(**{"since": now, **known})


def request_of(stored: dict[str, Any]) -> Request | None:
    """The registry's state `trigger`, written by the command line or the API; empty where nobody asked."""
    if not stored.get("at"):
        return None
    return Request(
        at=float(stored["at"]),
        who=str(stored.get("who", "operator")),
        simulate_learnings=int(stored.get("simulate_learnings") or 0),
        policy=stored.get("policy"),
    )
