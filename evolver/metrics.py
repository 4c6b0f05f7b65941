"""The evolver's own counters, in the text form that Prometheus reads."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from evolver.provider import Provider
from evolver.webhook import Webhook
from policies.lifecycle import STATES
from policies.registry.values import Candidate


class Metrics:
    """Counted as they happen; gauges are set when somebody asks."""

    def __init__(self) -> None:
        self.collectors = CollectorRegistry()
        self.frames = self._counter("evogate_evolver_frames", "Frames read from the spool")
        self.moves = self._counter("evogate_evolver_moves", "Candidates moved along their line")
        self.failed_rounds = self._counter("evogate_evolver_failed_rounds", "Rounds that ended with an error")
        self._candidates = Gauge(
            "evogate_evolver_candidates", "Candidates by state", ["state"], registry=self.collectors
        )
        self._spent = self._gauge("evogate_evolver_spent_usd", "Spent on replay, judge and reflection since the start")
        self._calls = self._gauge("evogate_evolver_model_calls", "Calls to models since the start")
        self._webhook = self._gauge("evogate_evolver_webhook_failures", "News that could not be delivered")

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(name, text, registry=self.collectors)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self.collectors)

    def text(self, candidates: list[Candidate], provider: Provider, webhook: Webhook) -> bytes:
        """The exposition as of now."""
        for state in STATES:
            self._candidates.labels(state).set(sum(candidate.state == state for candidate in candidates))
        self._spent.set(provider.spent_usd)
        self._calls.set(provider.calls)
        self._webhook.set(webhook.failures)
        return generate_latest(self.collectors)
