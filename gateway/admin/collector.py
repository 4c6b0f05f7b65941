"""Prometheus' view of a worker, made at scrape time from the plain numbers of the request path."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector as Base

from gateway.pipeline.metrics import ArmCounters, Histogram
from gateway.pipeline.worker import Worker

_ARM = ("policy", "role")


class Collector(Base):
    """One worker's metrics. Labels are bounded: policies, roles, stages and classes, never versions or ids."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def collect(self) -> Iterable[Metric]:
        """All families."""
        yield from self._requests()
        yield from self._state()
        yield from self._faults()

    def _requests(self) -> Iterator[Metric]:
        arms = self._worker.core.metrics.arms
        yield _counter("evogate_requests", "Covered requests that were settled.", _ARM, _each(arms, "requests"))
        yield _counter("evogate_input_tokens", "Input tokens.", _ARM, _each(arms, "input_tokens"))
        yield _counter("evogate_output_tokens", "Output tokens.", _ARM, _each(arms, "output_tokens"))
        yield _counter("evogate_cost_usd", "What answers cost, in US dollars.", _ARM, _each(arms, "cost_usd"))
        yield _counter("evogate_reward", "Sum of rewards.", _ARM, _each(arms, "reward"))
        yield _counter("evogate_rewarded_requests", "Requests that have a reward.", _ARM, _each(arms, "rewarded"))
        failures: dict[tuple[str, ...], float] = {
            (*arm, name): float(n) for arm, c in arms.items() for name, n in c.failures.items()
        }
        yield _counter("evogate_failures", "Settled requests by failure class.", (*_ARM, "class"), failures)
        latency = HistogramMetricFamily("evogate_latency_seconds", "To the last byte, as seen here.", labels=_ARM)
        for arm, counters in arms.items():
            _observe(latency, arm, counters.latency)
        yield latency
        overhead = HistogramMetricFamily("evogate_overhead_seconds", "The gateway's own share of a request.", labels=())
        _observe(overhead, (), self._worker.core.metrics.overhead)
        yield overhead

    def _state(self) -> Iterator[Metric]:
        worker = self._worker
        epoch, metrics = worker.core.epoch, worker.core.metrics
        yield GaugeMetricFamily("evogate_epoch", "Number of the epoch in force.", value=epoch.number)
        yield GaugeMetricFamily("evogate_ready", "1 while requests are accepted.", value=float(worker.app.ready))
        yield GaugeMetricFamily(
            "evogate_recording", "1 while frames reach the disk.", value=float(worker.core.recording)
        )
        yield GaugeMetricFamily(
            "evogate_spool_waiting_bytes", "Frames not written yet.", value=worker.spool.writer.waiting
        )
        share = GaugeMetricFamily("evogate_arm_share_ratio", "Share of new conversations.", labels=_ARM)
        for view in epoch.policies.values():
            by_role: dict[str, float] = {}
            for arm, (_, odds) in zip(view.drawn, view.odds, strict=True):
                by_role[arm.role] = by_role.get(arm.role, 0.0) + odds
            for role, odds in by_role.items():
                share.add_metric((view.name, role), odds)
        yield share
        for name, value, text in (
            ("relayed_requests", metrics.relayed, "Uncovered requests."),
            ("feedback", metrics.feedback, "Accepted feedback."),
            ("signals", metrics.signals, "Retries and corrections that were seen."),
            ("mirrored_requests", metrics.mirrored, "Requests sent to shadow candidates."),
            ("mirror_dropped", metrics.mirror_dropped, "Mirrors left out for want of room or money."),
            ("rollbacks", metrics.trips, "Candidates taken back by this worker."),
            ("config_reloads", metrics.reloads, "Configurations taken over."),
            ("config_reload_failures", metrics.reload_failures, "Configurations that were not."),
            ("spool_lost_frames", worker.spool.writer.lost, "Frames that were dropped, or may not be on the disk."),
            ("spool_failed_writes", worker.spool.commit.failures, "Writes and syncs that failed."),
            ("spool_retired_segments", worker.spool.upkeep.retired, "Segments that were too old or too many."),
            ("spool_upkeep_faults", worker.spool.upkeep.faults, "Rounds of compression and retirement that failed."),
        ):
            yield _counter(f"evogate_{name}", text, (), {(): float(value)})

    def _faults(self) -> Iterator[Metric]:
        core = self._worker.core
        stages: dict[tuple[str, ...], float] = {
            (stage,): float(count) for stage, count in core.fall_open.counts.items()
        }
        yield _counter("evogate_fell_open", "Faults that cost no client its answer.", ("stage",), stages)
        errors: dict[tuple[str, ...], float] = {
            (reason,): float(count) for reason, count in core.metrics.errors.items()
        }
        yield _counter("evogate_errors", "Errors that the gateway answered with itself.", ("reason",), errors)


def _each(arms: dict[tuple[str, str], ArmCounters], name: str) -> dict[tuple[str, ...], float]:
    return {arm: float(getattr(counters, name)) for arm, counters in arms.items()}


def _counter(
    name: str, text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _observe(family: HistogramMetricFamily, labels: tuple[str, ...], histogram: Histogram) -> None:
    family.add_metric(labels, buckets=histogram.cumulative(), sum_value=histogram.total)
