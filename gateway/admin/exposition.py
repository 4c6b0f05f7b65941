"""Families as Prometheus' text."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from gateway.admin.families import Family

CONTENT_TYPE = CONTENT_TYPE_LATEST


def exposition(families: Iterable[Family]) -> bytes:
    """The body of `/metrics`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given([_metric(family) for family in families]))
    return generate_latest(registry)


class _Given(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _metric(family: Family) -> Metric:
    if family.kind == "histogram":
        shown = HistogramMetricFamily(family.name, family.text, labels=family.labels)
        for labels, number in family.rows.items():
            if isinstance(number, tuple):
                shown.add_metric(labels, buckets=number[0], sum_value=number[1])
        return shown
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    plain = kind(family.name, family.text, labels=family.labels)
    for labels, number in family.rows.items():
        if not isinstance(number, tuple):
            plain.add_metric(labels, number)
    return plain
