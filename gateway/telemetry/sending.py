"""The thread that sends: takes what has ended from the queue, makes spans and metrics of it with the SDK, exports them.

1. It looks about once a second: nobody wakes it, so that leaving something costs the path no system call.
2. The exporter tries again by itself where the collector is away; meanwhile the queue fills, and what has no room is
   dropped and counted. So is a batch that the collector refuses.
3. Python runs one thread at a time and changes after 5 ms by default, which is what a request would wait for this one.
   While it runs the process changes after `SWITCH_S`.
"""

import asyncio
import logging
import sys
import threading
from collections.abc import Iterator
from itertools import islice

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from config.gateway import Telemetry
from gateway.telemetry import names
from gateway.telemetry.ended import Ended
from gateway.telemetry.watching import Watching

BATCH = 512
EVERY_S = 1.0
METRICS_EVERY_S = 15.0
TIMEOUT_S = 5.0
CLOSE_S = 3.0
SWITCH_S = 0.0005

log = logging.getLogger("evogate.telemetry")


class Sender:
    """One worker's. `start` once; `close` sends what is left, for at most `CLOSE_S` seconds."""

    def __init__(self, watching: Watching, settings: Telemetry, writer: str, version: str) -> None:
        endpoint = (settings.endpoint or "").rstrip("/")
        headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        resource = Resource.create(
            {"service.name": names.SERVICE, "service.version": version, "service.instance.id": writer}
        )
        self._watching = watching
        self._resource = resource
        self._scope = InstrumentationScope(names.SCOPE, version, names.SCHEMA)
        self._spans: SpanExporter = OTLPSpanExporter(f"{endpoint}/v1/traces", headers=headers, timeout=TIMEOUT_S)
        reader = PeriodicExportingMetricReader(
            OTLPMetricExporter(f"{endpoint}/v1/metrics", headers=headers, timeout=TIMEOUT_S),
            export_interval_millis=METRICS_EVERY_S * 1000.0,
            export_timeout_millis=TIMEOUT_S * 1000.0,
        )
        self._meters = MeterProvider([reader], resource, shutdown_on_exit=False)
        meter = self._meters.get_meter(names.SCOPE, version, names.SCHEMA)
        self._duration = meter.create_histogram(
            names.DURATION, "s", "Duration of calls.", explicit_bucket_boundaries_advisory=names.DURATION_BOUNDS
        )
        self._tokens = meter.create_histogram(
            names.TOKENS, "{token}", "Tokens in and out.", explicit_bucket_boundaries_advisory=names.TOKEN_BOUNDS
        )
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    def start(self) -> None:
        """Begin."""
        sys.setswitchinterval(SWITCH_S)
        self._thread.start()

    async def close(self) -> None:
        """Send what is left, and end the thread; a collector that hangs is left behind."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._over.set()
        self._thread.join(CLOSE_S)
        self._spans.shutdown()
        self._meters.shutdown(timeout_millis=CLOSE_S * 1000.0)

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            self._send_all()
        self._send_all()

    def _send_all(self) -> None:
        while batch := list(islice(_taken(self._watching), BATCH)):
            try:
                self._send(batch)
            except Exception as error:  # noqa: BLE001
                self._watching.refused += len(batch)
                log.warning("telemetry was not sent: %s", type(error).__name__)

    def _send(self, batch: list[Ended]) -> None:
        for ended in batch:
            self._measure(ended)
        spans = [self._span(ended) for ended in batch if ended.context.sampled]
        if spans and self._spans.export(spans) is not SpanExportResult.SUCCESS:
            self._watching.refused += len(spans)

    def _measure(self, ended: Ended) -> None:
        shared = ended.shared()
        self._duration.record(max(0.0, ended.ended - ended.began), shared)
        if ended.tokens is not None:
            for kind, count in zip(("input", "output"), ended.tokens, strict=True):
                self._tokens.record(count, {**shared, names.TOKEN_TYPE: kind})

    def _span(self, ended: Ended) -> ReadableSpan:
        context = ended.context
        flags = TraceFlags(TraceFlags.SAMPLED)
        parent = SpanContext(context.trace, context.parent, True, flags) if context.parent is not None else None
        return ReadableSpan(
            name=f"{ended.operation} {ended.model}",
            context=SpanContext(context.trace, context.span, False, flags),
            parent=parent,
            resource=self._resource,
            attributes=ended.attributes(),
            kind=SpanKind.CLIENT,
            status=Status(StatusCode.UNSET if ended.failure is None else StatusCode.ERROR),
            start_time=int(ended.began * 1e9),
            end_time=int(ended.ended * 1e9),
            instrumentation_scope=self._scope,
        )


def _taken(watching: Watching) -> Iterator[Ended]:
    while watching.queue:
        yield watching.queue.popleft()
