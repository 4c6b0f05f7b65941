"""What verdicts do: at once in this worker, and in the registry as soon as it can be reached.

1. A rollback never waits: the arm leaves the epoch and its pins are dropped in the tick that saw the verdict.
2. The registry is told until it has understood; each step may be repeated.
3. The provider's outage takes nothing back: it freezes learning until it is over. A candidate that alone uses an
   upstream which is down is not judged any more, over or not: the evolver ends the comparison and suspends it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection

from gateway.pipeline.allocation import sides_of
from gateway.pipeline.core import Core
from gateway.pipeline.live import Running
from gateway.pipeline.scene import Verdicts
from policies.errors import ConflictError, NotFoundError
from policies.evidence import Decision, ProviderState
from policies.registry.port import Registry
from policies.registry.values import Incident

log = logging.getLogger("evogate.guard")

FIRST_RETRY_S = 0.1
LAST_RETRY_S = 10.0


class Guard:
    """Carries verdicts out for one worker. `rebuild` swaps the epoch."""

    def __init__(self, core: Core, registry: Registry, verdicts: Verdicts, rebuild: Callable[[], None]) -> None:
        self._core = core
        self._registry = registry
        self._verdicts = verdicts
        self._rebuild = rebuild
        self._tasks: set[asyncio.Task[None]] = set()
        self._outages: dict[str, list[Incident]] = {}
        self._held: dict[str, tuple[Running, Decision]] = {}  # what would be done, were it not for their upstream

    def tick(self) -> None:
        """Advance all evidence to now and act on what has changed."""
        changed = False
        for run, decision in self._core.evidence.judge(self._core.now()):
            changed |= self._act(run, decision)
        for run, decision in list(self._held.values()):
            changed |= self._act(run, decision)
        for upstream in sorted(self._core.outages.turn()):
            self._outage(upstream, self._core.outages.state(upstream))
            changed = True
        if changed:
            self._rebuild()

    @property
    def held(self) -> Collection[str]:
        """Experiments whose verdict waits, because their upstream is down and production's is not."""
        return self._held.keys()

    async def close(self) -> None:
        """Stop retrying; what has not stuck is found again from the spool at the next start."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _act(self, run: Running, decision: Decision) -> bool:
        experiment = run.trial.experiment
        if self._core.evidence.running.get(experiment) is not run:
            self._held.pop(experiment, None)  # suspended, or ended otherwise
            return False
        if decision.rolls_back and self._excused(run):
            # What first crossed the threshold is what a replay finds: later figures may lie below it again.
            self._held.setdefault(experiment, (run, decision))
            return False
        self._held.pop(experiment, None)
        if decision.rolls_back:
            return self._trip(run, decision)
        if decision.verdict == "SUSPECT":
            log.warning("%s: %s", run.policy, decision.summary)
            self._verdicts.suspects.add(experiment)
        else:
            self._verdicts.suspects.discard(experiment)
        return True

    def _excused(self, run: Running) -> bool:
        """Its upstream is or was down, and production's is another: that says nothing of the candidate."""
        view = self._core.epoch.policies.get(run.policy)
        if view is None or run.trial.holdback or self._core.evidence.running.get(run.trial.experiment) is not run:
            return False
        targets = [view.arms[arm].default.target for arm in (run.trial.subject, run.trial.control) if arm in view.arms]
        names = [target.route.name if target.route is not None else None for target in targets]
        return len(names) == 2 and self._core.outages.blames(names[0], names[1], run.trial.started_at)

    def _trip(self, run: Running, decision: Decision) -> bool:
        if run.tripped:
            return False
        run.tripped = True
        self._verdicts.tripped.add(run.trial.experiment)
        pins = self._core.pins.get(run.policy)
        control, subject = sides_of(run.trial)
        dropped = sum(pins.drop_arm(arm) for arm in sorted(subject)) if pins is not None else 0
        self._core.metrics.trips += 1
        log.warning("%s: %s (%d conversations unpinned)", run.policy, decision.summary, dropped)
        arms = [sorted(control), sorted(subject)]
        exposed = decision.evidence | {"unpinned": dropped, "subject": run.trial.subject, "arms": arms}
        self._spawn(lambda: self._record_trip(run, decision, exposed))
        return True

    async def _record_trip(self, run: Running, decision: Decision, evidence: dict[str, object]) -> None:
        registry, trial, now = self._registry, run.trial, self._core.now()
        who, why = self._core.writer, decision.summary
        if trial.holdback:
            await self._eject(run, why, now)
        await self._withdraw(trial.candidate, why, evidence, now)
        kind = "EJECT" if trial.holdback else decision.verdict
        assert kind in {"EJECT", "TRIP", "SEVERE"}
        incident = Incident(
            f"{kind.lower()}-{trial.experiment}",
            run.policy,
            kind,
            now,
            trial.candidate or trial.subject,
            why,
            evidence,
        )
        await registry.add_incident(incident)
        with contextlib.suppress(NotFoundError):  # an ordinary holdback compares without a registered experiment
            await registry.close_experiment(trial.experiment, "ROLL BACK", evidence, now=now)
        self._core.evidence.running.pop(trial.experiment, None)
        log.info("%s: the rollback by %s is on record", run.policy, who)

    async def _withdraw(self, candidate_id: str, why: str, evidence: dict[str, object], now: float) -> None:
        if not candidate_id:
            return
        try:
            candidate = await self._registry.candidate(candidate_id)
        except NotFoundError:
            return
        if candidate.state in {"canary", "promoted", "confirmed"}:
            await self._registry.advance(
                candidate, "trip", who=self._core.writer, reason=why, now=now, station="breaker", measured=evidence
            )

    async def _eject(self, run: Running, why: str, now: float) -> None:
        """Production has failed against its predecessor: the pointer goes back, unless it has moved meanwhile."""
        holdback = next((h for h in await self._registry.holdbacks() if h.experiment == run.trial.experiment), None)
        pointer = await self._registry.production(run.policy)
        if holdback is None or pointer is None:
            return
        versions = {version.label: version for version in await self._registry.versions(run.policy)}
        current = versions.get(pointer.version)
        if current is not None and current.genome.content_hash == run.trial.subject:
            await self._registry.move(
                run.policy,
                holdback.version,
                expected_revision=pointer.revision,
                who=self._core.writer,
                why=why,
                now=now,
            )
        await self._registry.set_holdback(run.policy, None, now=now)

    def _outage(self, upstream: str, state: ProviderState) -> None:
        self._verdicts.outages = self._core.outages.policies
        self._core.posteriors.resting = frozenset(self._verdicts.outages)
        log.warning("upstream %s: %s", upstream, state.summary)
        if state.outage:
            since = state.since or self._core.now()
            incidents = [
                Incident(
                    f"provider-{upstream}-{policy}-{int(since)}",
                    policy,
                    "PROVIDER",
                    since,
                    upstream,
                    state.summary,
                    state.evidence,
                )
                for policy in sorted(self._verdicts.outages)
            ]
            self._outages[upstream] = incidents
            self._spawn(lambda: self._open(incidents))
        else:
            over = self._outages.pop(upstream, [])
            self._spawn(lambda: self._resolve(over))

    async def _open(self, incidents: list[Incident]) -> None:
        for incident in incidents:
            await self._registry.add_incident(incident)

    async def _resolve(self, incidents: list[Incident]) -> None:
        for incident in incidents:
            await self._registry.add_incident(incident)
            await self._registry.resolve_incident(incident.id, now=self._core.now())

    def _spawn(self, attempt: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.get_running_loop().create_task(self._until_done(attempt))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until_done(self, attempt: Callable[[], Awaitable[None]]) -> None:
        pause = FIRST_RETRY_S
        while True:
            try:
                await attempt()
            except ConflictError as error:
                log.info("the registry moved meanwhile, reading it again: %s", error)
            except Exception as error:  # noqa: BLE001
                self._core.fall_open.count("registry", error)
            else:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2.0, LAST_RETRY_S)
