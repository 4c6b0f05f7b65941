"""Traces and metrics as a collector receives them, and the trace context as the upstream does."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from gateway.telemetry import sending, watching
from gateway.telemetry.context import parse
from policies.errors import OperatorError
from tests.gateway.pipeline.conftest import running, settings
from tests.gateway.pipeline.scripted import DONE, END, STREAM, Visit, chunk, completion, delta, provider, whole
from tests.gateway.telemetry.collector import Collector, attributes, collecting

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}


class Scene:
    """A collector, a provider, and the contexts that the provider saw."""

    def __init__(self, collector: Collector, base: str, home: Path, seen: list[dict[str, str]]) -> None:
        self.collector = collector
        self.seen = seen
        self._base = base
        self._home = home

    def gateway(self, *, on: bool = True, **telemetry: Any) -> Any:
        genome = {"strategy": {"model_key": "large", "temperature": 0.5, "max_tokens": 300}}
        policy = {"genome": genome, "resilience": {"retries": 1}}
        if on:
            telemetry["endpoint"] = self.collector.url
        return running(settings(self._base, policy, telemetry=telemetry), self._home)


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    interval = sys.getswitchinterval()
    monkeypatch.setattr(sending, "EVERY_S", 0.02)
    seen: list[dict[str, str]] = []

    async def script(visit: Visit) -> None:
        lines = [line.split(": ", 1) for line in visit.head.decode().split("\r\n")[1:] if line]
        seen.append({name.lower(): value for name, value in lines})
        if b"fail" in visit.body:
            await visit.send(whole(b'{"error": {"message": "secret words"}}', b"500 No"))
        elif b'"stream":true' in visit.body:
            events = delta("some ") + delta("words", "stop") + DONE
            await visit.send(STREAM + chunk(events) + END)
        else:
            await visit.send(whole(completion()))

    async with collecting() as collector, provider(script) as base:
        yield Scene(collector, base, tmp_path, seen)
    sys.setswitchinterval(interval)


def only(spans: list[Span]) -> tuple[Span, dict[str, Any]]:
    (span,) = spans
    return span, attributes(span.attributes)


async def test_a_call_is_a_span_below_the_clients_and_above_the_upstreams(scene: Scene) -> None:
    async with scene.gateway(headers={"x-key": "k"}) as gateway:
        status, headers, _ = await gateway.ask("private words", headers=PARENT, stop=["end"], top_p=0.25)
        assert status == 200
    span, found = only(scene.collector.spans)
    assert (span.name, span.kind, span.status.code) == (
        "chat sandbox-large", Span.SPAN_KIND_CLIENT, Status.STATUS_CODE_UNSET,
    )  # fmt: skip
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, SPAN)
    assert scene.seen[0]["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert scene.seen[0]["tracestate"] == "vendor=1"
    assert span.end_time_unix_nano > span.start_time_unix_nano
    host, _, port = scene.seen[0]["host"].partition(":")
    (frame,) = gateway.frames("assignment")
    assert found == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.conversation.id": frame["unit"],
        "gen_ai.request.model": "sandbox-large",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 300,
        "gen_ai.request.top_p": 0.25,
        "gen_ai.request.stop_sequences": ["end"],
        "gen_ai.response.model": "m",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "server.address": host,
        "server.port": int(port),
        "evogate.policy": "assistant",
        "evogate.genome": headers["x-evogate-genome"],
        "evogate.version": "v1.0",
        "evogate.request_id": headers["x-evogate-request-id"],
    }
    (resource,) = scene.collector.resources
    assert (resource["service.name"], resource["service.instance.id"]) == ("evogate", "w0")
    assert scene.collector.keys == {"k"}


async def test_metrics_count_every_call_whether_traced_or_not(scene: Scene) -> None:
    unsampled = {"traceparent": PARENT["traceparent"][:-1] + "0"}
    async with scene.gateway() as gateway:
        for headers in (PARENT, unsampled, unsampled):
            assert (await gateway.ask("hello", headers=headers))[0] == 200
    only(scene.collector.spans)
    assert [seen["traceparent"][-2:] for seen in scene.seen] == ["01", "00", "00"]
    ((shared, duration),) = scene.collector.metrics["gen_ai.client.operation.duration"]
    assert (duration.count, shared["evogate.policy"], shared["gen_ai.request.model"]) == (
        3, "assistant", "sandbox-large",
    )  # fmt: skip
    assert "gen_ai.conversation.id" not in shared
    tokens = scene.collector.metrics["gen_ai.client.token.usage"]
    assert {shared["gen_ai.token.type"]: point.sum for shared, point in tokens} == {"input": 30.0, "output": 15.0}


async def test_streams_and_failures_are_told_without_their_words(scene: Scene) -> None:
    async with scene.gateway() as gateway:
        stream = await gateway.openai.chat.completions.create(
            model="sandbox-large", messages=[{"role": "user", "content": "hello"}], stream=True
        )
        assert "".join([event.choices[0].delta.content or "" async for event in stream]) == "some words"
        assert (await gateway.ask("please fail"))[0] == 500
    good, bad = sorted(scene.collector.spans, key=lambda span: span.start_time_unix_nano)
    assert good.status.code == Status.STATUS_CODE_UNSET
    assert (bad.status.code, attributes(bad.attributes)["error.type"]) == (Status.STATUS_CODE_ERROR, "server_error")
    assert not bad.parent_span_id
    assert "secret" not in str(scene.collector.spans)
    contexts = [parse(seen["traceparent"].encode()) for seen in scene.seen[1:]]
    assert len(contexts) == 2, "a call and its retry"
    assert contexts[0] == contexts[1]


async def test_without_telemetry_the_clients_context_passes_untouched(scene: Scene) -> None:
    async with scene.gateway(on=False) as gateway:
        assert gateway.core.observer is None
        await gateway.ask(headers=PARENT)
        await gateway.ask()
    assert scene.seen[0]["traceparent"] == PARENT["traceparent"]
    assert "traceparent" not in scene.seen[1]
    assert scene.collector.metrics == {}


async def test_a_collector_that_hangs_or_refuses_costs_nobody_an_answer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(sending, "CLOSE_S", 0.5)
    monkeypatch.setattr(watching, "MOST_WAITING", 3)
    scene.collector.answers.clear()
    async with scene.gateway() as gateway:
        assert [(await gateway.ask())[0] for _ in range(20)] == [200] * 20
        observer = gateway.core.observer
        assert observer is not None
        await gateway.until(lambda: observer.refused > 0)
        scene.collector.status = 400
        scene.collector.answers.set()
        before = observer.refused
        await gateway.ask()
        await gateway.until(lambda: observer.refused > before)
        await gateway.until(lambda: not observer.queue)
        async with gateway.http.get(f"{gateway.process.admin_url}/metrics") as answer:
            text = await answer.text()
    assert scene.collector.spans == []
    shown = text.partition('evogate_telemetry_lost_requests_total{reason="refused"} ')[2].partition("\n")[0]
    assert before < float(shown) <= 21


async def test_beyond_its_room_the_queue_drops_and_counts(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_WAITING", 3)
    async with scene.gateway(on=False) as gateway:
        gateway.core.observer = observer = watching.Watching(1.0)  # nobody takes from it
        for _ in range(5):
            await gateway.ask()
        assert (len(observer.queue), observer.dropped) == (3, 2)


async def test_a_fault_of_the_observer_costs_no_answer(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    async with scene.gateway(on=False) as gateway:
        observer = watching.Watching(1.0)
        monkeypatch.setattr(observer, "ended", broken)
        gateway.core.observer = observer
        assert (await gateway.ask())[0] == 200
        assert gateway.core.fall_open.counts["telemetry"] == 1


async def test_a_missing_extra_is_said_at_the_start(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gateway.telemetry.sending", None)
    with pytest.raises(OperatorError, match=r"evogate\[otel\]"):
        async with scene.gateway():
            pass


def test_off_it_is_not_even_imported() -> None:
    code = "import gateway.process, gateway.workers.child, sys; print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
