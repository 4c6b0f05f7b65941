"""The evolver's own numbers, in the text form that Prometheus reads. Every label's values are bounded."""

from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from evolver.analysis.values import KINDS
from evolver.notify import Command
from evolver.provider import Provider
from evolver.search.operators import OPERATORS
from evolver.store.reads import Progress
from evolver.webhook import Webhook
from gateway.recording import Position, read_frames
from policies.lifecycle import STATES
from policies.registry.values import Candidate, Finding

if TYPE_CHECKING:
    from evolver.cycle import Result

OTHER = "other"
BREEDERS = frozenset(
    {*(operator.name for operator in OPERATORS), "template", "reflection", "strategy", "bundle", "grpo", "experience"}
)
CYCLE_S = (1, 5, 15, 60, 300, 900, 3600, 14_400)


@dataclass(frozen=True, slots=True)
class Scrape:
    """What is looked up when somebody asks."""

    candidates: Sequence[Candidate]
    findings: Sequence[Finding]
    lag_s: float


class Metrics:
    """Counted as they happen; gauges are set when somebody asks."""

    def __init__(self) -> None:
        self.collectors = CollectorRegistry()
        self.frames = self._counter("evogate_evolver_frames", "Frames read from the spool")
        self.moves = self._counter("evogate_evolver_moves", "Candidates moved along their line")
        self.failed_rounds = self._counter("evogate_evolver_failed_rounds", "Rounds that ended with an error")
        self.cycles = self._counter("evogate_evolver_cycles", "Improvement cycles by how they ended", "outcome")
        self._made = self._counter("evogate_evolver_proposals_made", "Proposals by what made them", "operator")
        self._evaluations = self._counter("evogate_evolver_search_calls", "Calls to models that searches made")
        self._cycle_s = Histogram(
            "evogate_evolver_cycle_seconds", "How long cycles took", buckets=CYCLE_S, registry=self.collectors
        )
        self._candidates = self._gauge("evogate_evolver_candidates", "Candidates by state", "state")
        self._fates = self._gauge("evogate_evolver_proposals", "Candidates by operator and fate", "operator", "fate")
        self._findings = self._gauge("evogate_evolver_findings", "Findings by kind", "kind")
        self._best = self._gauge("evogate_evolver_best_fitness", "Quality of the best genome of the last search, 0-1")
        self._volume = self._gauge("evogate_evolver_hypervolume_ratio", "Of the last search's last generation, 0-1")
        self._lag = self._gauge("evogate_evolver_lag_seconds", "Age of the oldest record that is not read yet")
        self._spent = self._gauge("evogate_evolver_spent_usd", "Spent on replay, judge and reflection since the start")
        self._calls = self._gauge("evogate_evolver_model_calls", "Calls to models since the start")
        self._day = self._gauge(
            "evogate_evolver_day_spent_usd", "Charged to the day's budget, calls under way included"
        )
        self._day_calls = self._gauge("evogate_evolver_day_calls", "Calls charged to the day's budget")
        self._webhook = self._gauge("evogate_evolver_webhook_failures", "News that could not be delivered")
        self._command = self._gauge("evogate_evolver_notify_failures", "News that the command did not take")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.collectors)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.collectors)

    def cycle(self, result: "Result", seconds: float) -> None:
        """One more has ended as it should."""
        self._cycle_s.observe(seconds)
        self._evaluations.inc(result.evaluations)
        for operator, count in result.operators.items():
            self._made.labels(breeder(operator)).inc(count)
        if result.best is not None:
            self._best.set(result.best)
        if result.hypervolume is not None:
            self._volume.set(result.hypervolume)

    def text(self, scrape: Scrape, provider: Provider, webhook: Webhook, command: Command) -> bytes:
        """The exposition as of now."""
        states = Tally(candidate.state for candidate in scrape.candidates)
        for state in STATES:
            self._candidates.labels(state).set(states[state])
        self._fates.clear()
        for (operator, fate), count in Tally((breeder(c.lineage.operator), c.state) for c in scrape.candidates).items():
            self._fates.labels(operator, fate).set(count)
        kinds = Tally(finding.kind for finding in scrape.findings)
        for kind in KINDS:
            self._findings.labels(kind).set(kinds[kind])
        self._lag.set(scrape.lag_s)
        self._spent.set(provider.spent_usd)
        self._calls.set(provider.calls)
        if provider.spending is not None:
            calls, usd = provider.spending.today()
            self._day_calls.set(calls)
            self._day.set(usd)
        self._webhook.set(webhook.failures)
        self._command.set(command.failures)
        return generate_latest(self.collectors)


def breeder(operator: str) -> str:
    """The kind of operator that a lineage names: what stands before a colon, or "other"."""
    kind = operator.partition(":")[0]
    return kind if kind in BREEDERS else OTHER


def lag_s(spool: Path, progress: Sequence[Progress], writers: Sequence[str], now: float) -> float:
    """Seconds since the oldest record was made that is not read yet; 0 where all are. Reads files.

    Raises:
        SpoolError: a file can't be read.
    """
    read = {one.writer: Position(one.segment, one.offset) for one in progress}
    firsts = (
        next((float(frame["at"]) for _, frame in read_frames(spool / writer, read.get(writer)) if "at" in frame), now)
        for writer in writers
    )
    return max(0.0, now - min(firsts, default=now))
