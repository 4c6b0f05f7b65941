"""At start: this writer's own recordings bring back evidence, pins, and what feedback may refer to.

The recordings hold exactly what the live path fed into memory, in the same order, so that the same reducers end in the
same state. Rewards that the registry's row of this writer already counts are left out.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from gateway.pipeline.allocation import sides_of
from gateway.pipeline.epoch import Entrance, Epoch, PolicyView
from gateway.pipeline.feedback import BAD_BELOW
from gateway.pipeline.live import LiveEvidence
from gateway.pipeline.mirror import Mirror
from gateway.pipeline.outages import Outages
from gateway.pipeline.posteriors import Posteriors
from gateway.pipeline.recent import Recent, RecentRequests
from gateway.pipeline.settle import Essence, rescore
from gateway.recording import read_frames, since
from policies.factorial import propensity
from policies.outcome.classes import PROVIDERS
from policies.pins import Pin, PinTable


class Memory(Protocol):
    """What a replay fills: a worker's core, or what stands in for one."""

    epoch: Epoch
    evidence: LiveEvidence
    posteriors: Posteriors
    recent: RecentRequests
    mirror: Mirror
    outages: Outages

    @property
    def pins_of(self) -> Callable[[PolicyView], PinTable | None]:
        """The policy's pins; None where each request is a unit of its own."""


class Replay:
    """One pass over a spool. `counted_until`: rewards settled up to then are in the posteriors already."""

    def __init__(self, core: Memory, *, now: float, idle_s: float, counted_until: float) -> None:
        self._core = core
        self._views: Mapping[str, PolicyView] = core.epoch.policies
        self._counted_until = counted_until
        trials = [trial.started_at for view in self._views.values() for trial in view.trials]
        self._idle_from = now - idle_s
        self._since = min([*trials, self._idle_from, counted_until or now])
        self.frames = 0

    def run(self, directory: Path) -> None:
        """Read what is young enough to matter."""
        handlers = {"assignment": self._assignment, "outcome": self._outcome, "signal": self._signal}
        for _, payload in read_frames(directory, since(directory, self._since)):
            handler = handlers.get(payload.get("t", ""))
            view = self._views.get(payload.get("policy", ""))
            if handler is not None and (view is not None or payload.get("t") == "outcome"):
                self.frames += 1
                handler(payload, view)

    def _assignment(self, frame: dict[str, Any], view: PolicyView | None) -> None:
        if view is None or frame["at"] < self._since:
            return
        unit, at = frame["unit"], frame["at"]
        pins = self._core.pins_of(view)
        if pins is not None and at >= self._idle_from and frame["why"] != "fell_open":
            pins.put(unit, Pin(frame["arm"], frame["experiment"], frame["role"], at), at)
        entry = _recent(frame, view)
        entrances = entry.entrances
        before = self._core.recent.add(entry)
        if before is not None and not entrances and before.arm == entry.arm:
            entry.entrances = before.entrances
        self._core.evidence.assigned(entrances, unit, at)

    def _outcome(self, frame: dict[str, Any], _: PolicyView | None) -> None:
        entry = self._core.recent.get(frame["id"])
        if entry is None:
            return
        entry.essence, entry.reward = _essence(frame), frame["reward"]
        if not entry.fresh:
            self._core.evidence.followed(entry.entrances, entry.unit, frame["failure"], frame["at"])
            return
        self._core.evidence.settled(entry.entrances, entry.unit, frame["failure"], frame["at"])
        if entry.reward is not None:
            self._watched(entry, frame)
        if entry.reward is not None and frame["at"] > self._counted_until:
            self._core.posteriors.add(entry.policy, entry.arm, entry.reward, entry.intent)

    def _watched(self, entry: Recent, frame: dict[str, Any]) -> None:
        """An outage on record excuses whom it excused live."""
        view = self._views.get(entry.policy)
        arm = view.arms.get(entry.arm) if view is not None else None
        route = arm.default.target.route if arm is not None else None
        if route is not None:
            failed = frame["failure"] in PROVIDERS
            self._core.outages.replay(route.name, entry.policy, entry.arm, failed, frame["at"])

    def _signal(self, frame: dict[str, Any], view: PolicyView | None) -> None:
        data = frame["data"]
        if frame["kind"] == "shadow" and view is not None:
            purse = self._core.mirror.budget(view.name)
            purse.turn(frame["at"])
            purse.spent += data.get("cost_usd", 0.0)
            return
        entry = self._core.recent.get(frame["id"])
        if frame["kind"] != "feedback" or entry is None or view is None:
            return
        entry.feedback_key = data.get("key", "")
        said = data.get("score")
        if said is None:
            return
        self._core.evidence.judged(entry.entrances, entry.unit, bad=said < BAD_BELOW, now=frame["at"])
        if entry.fresh and entry.essence is not None:
            revised = rescore(view, entry.essence, said)
            if frame["at"] > self._counted_until:
                self._core.posteriors.revise(entry.policy, entry.arm, entry.reward, revised, entry.intent)
            entry.reward = revised


def restored(record: dict[str, Any], view: PolicyView | None) -> Recent:
    """A request as a worker would remember it, from all that is recorded of it (as `gateway.recording.find` gives it).

    `view` None: its policy is no more.
    """
    entry = _recent(record["assignment"], view)
    outcome = record["outcome"]
    if outcome is not None:
        entry.essence, entry.reward = _essence(outcome), outcome["reward"]
    for signal in record["signals"]:
        if signal["kind"] == "feedback":
            entry.feedback_key = signal["data"].get("key", "")
            said = signal["data"].get("score")
            if said is not None and view is not None and entry.essence is not None:
                entry.reward = rescore(view, entry.essence, said)
    return entry


def _recent(frame: dict[str, Any], view: PolicyView | None) -> Recent:
    entry = Recent(
        frame["id"],
        frame["at"],
        policy=frame["policy"],
        unit=frame["unit"],
        turn=frame["turn"],
        arm=frame["arm"],
        entrances=_entrances(frame, view) if view is not None else (),
        fresh=frame["why"] in {"draw", "only"},
        said=0,
    )
    entry.intent = frame.get("intent", "")
    return entry


def _entrances(frame: dict[str, Any], view: PolicyView) -> tuple[Entrance, ...]:
    """As the allocation gave them at that time: from the recorded odds, for what is still running."""
    if frame["why"] != "draw":
        return ()
    odds = dict(frame["arms"])
    found = []
    for trial in view.trials:
        sides = sides_of(trial)
        q = propensity(odds, sides) if frame["at"] >= trial.started_at else None
        if q is not None and any(frame["arm"] in side for side in sides):
            found.append(Entrance(trial.experiment, challenger=frame["arm"] in sides[1], q=q))
    return tuple(found)


def _essence(frame: dict[str, Any]) -> Essence:
    checks = tuple(frame["validators"].items())
    return frame["failure"], checks, frame["last_byte_ms"], frame["output_tokens"], frame["repairs"], frame["cost_usd"]
