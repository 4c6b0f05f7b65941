"""The evidence of every running experiment, live: fed by the request path, judged on a timer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from gateway.pipeline.epoch import Entrance, PolicyView, Trial
from policies.evidence import Decision, ExperimentEvidence
from policies.evidence.returns import alpha_of
from policies.evidence.view import EXCHANGE_S, Rows
from policies.registry.values import Totals


@dataclass(slots=True)
class Running:
    """One experiment at work. `peers` are the other writers' sums as last read."""

    policy: str
    trial: Trial
    evidence: ExperimentEvidence
    peers: Sequence[Rows] = ()
    writers: int = 1
    decision: Decision | None = None
    offered: float = 0.0  # watermark of the rows last made
    exchanged: float = 0.0  # watermark of the last exchange that the registry took
    tripped: bool = field(default=False)


class LiveEvidence:
    """Experiments by id."""

    def __init__(self, writer: str) -> None:
        self._writer = writer
        self.running: dict[str, Running] = {}

    def follow(self, views: Iterable[PolicyView]) -> None:
        """Begin what the epoch runs, and forget what it no longer does (a tripped one stays until it has stuck)."""
        wanted = {trial.experiment: (view, trial) for view in views for trial in view.trials}
        for experiment, (view, trial) in wanted.items():
            run = self.running.get(experiment)
            if run is None:
                self.running[experiment] = Running(view.name, trial, _fresh(view, trial))
            else:
                run.trial = trial  # another layer's candidate may have come or gone: the sides are others
        for experiment in [e for e, run in self.running.items() if e not in wanted and not run.tripped]:
            del self.running[experiment]

    def assigned(self, entrances: Iterable[Entrance], unit: str, at: float) -> None:
        """A unit enters."""
        for entrance in entrances:
            run = self.running.get(entrance.experiment)
            if run is not None:
                run.evidence.assigned(unit, at=at, challenger=entrance.challenger, q=entrance.q)

    def settled(self, entrances: Iterable[Entrance], unit: str, failure: str | None, now: float) -> None:
        """Its first answer has ended."""
        for entrance in entrances:
            run = self.running.get(entrance.experiment)
            if run is not None:
                run.evidence.settled(unit, failure, now=now)

    def followed(self, entrances: Iterable[Entrance], unit: str, failure: str | None, now: float) -> None:
        """A later answer of it has ended."""
        for entrance in entrances:
            run = self.running.get(entrance.experiment)
            if run is not None:
                run.evidence.followed(unit, failure, now=now)

    def judged(self, entrances: Iterable[Entrance], unit: str, *, bad: bool, now: float) -> None:
        """A user has said what an answer was worth."""
        for entrance in entrances:
            run = self.running.get(entrance.experiment)
            if run is not None:
                run.evidence.judged(unit, bad, now=now)

    def judge(self, now: float) -> Iterator[tuple[Running, Decision]]:
        """Advance every experiment; yields those whose verdict has changed."""
        for run in list(self.running.values()):
            run.evidence.advance(now)
            before = run.decision
            run.decision = run.evidence.decision(run.peers, run.writers)
            if run.decision.verdict != (before.verdict if before is not None else "CLEAR"):
                yield run, run.decision

    def rows(self, now: float) -> Iterator[Totals]:
        """What has changed since the last exchange that succeeded; `exchanged` must follow where this one does."""
        for experiment, run in self.running.items():
            watermark = run.evidence.watermark(now)
            for bucket, data in run.evidence.totals(run.exchanged).items():
                yield Totals("evidence", experiment, self._writer, bucket, data, watermark, now)
            run.offered = watermark

    def exchanged(self) -> None:
        """The registry has the rows last made."""
        for run in self.running.values():
            run.exchanged = run.offered

    def take_peers(self, experiment: str, rows: Iterable[Totals], now: float) -> None:
        """Take over the other writers' sums; those that were heard of lately count as alive."""
        run = self.running.get(experiment)
        if run is None:
            return
        writers: dict[str, dict[int, dict[str, object]]] = {}
        seen: dict[str, float] = {}
        for row in rows:
            if row.writer != self._writer:
                writers.setdefault(row.writer, {})[row.bucket] = row.data
                seen[row.writer] = max(seen.get(row.writer, 0.0), row.updated_at)
        run.peers = list(writers.values())
        run.writers = 1 + sum(now - at <= EXCHANGE_S for at in seen.values())


def _fresh(view: PolicyView, trial: Trial) -> ExperimentEvidence:
    breaker = view.settings.breaker
    return ExperimentEvidence(
        trial.experiment,
        alpha=alpha_of(breaker.alpha, trial.tries),
        ratio=breaker.ratio,
        window_s=breaker.window_s,
        deadline_s=breaker.deadline_s,
    )
