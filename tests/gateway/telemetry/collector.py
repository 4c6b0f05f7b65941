"""A collector: OTLP over HTTP, decoded with the protocol's own messages."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """What was sent to it."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: set[str | None] = set()  # of `x-key`
        self.spans: list[Span] = []
        self.resources: list[dict[str, Any]] = []
        self.metrics: dict[str, list[tuple[dict[str, Any], Any]]] = {}  # by name: attributes, and the data point
        self.status = 200
        self.answers = asyncio.Event()
        self.answers.set()

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.keys.add(request.headers.get("x-key"))
        await self.answers.wait()
        if self.status == 200:
            (self._traces if request.path == "/v1/traces" else self._metrics)(body)
        return web.Response(status=self.status)

    def _traces(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(attributes(resource.resource.attributes))
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def _metrics(self, body: bytes) -> None:
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = [(attributes(point.attributes), point) for point in metric.histogram.data_points]
                    self.metrics[metric.name] = points


def attributes(found: Any) -> dict[str, Any]:
    pairs: list[KeyValue] = list(found)
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    assert kind is not None
    found = getattr(value, kind)
    return [_value(item) for item in found.values] if kind == "array_value" else found


@contextlib.asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector for as long as the context lasts."""
    collector = Collector()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/{signal}", collector.receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield collector
    finally:
        collector.answers.set()
        await runner.cleanup()
