"""A fault at each stage: the client still gets its answer, the fault is counted, and the arm has failed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Never

import pytest

from gateway.pipeline import exchange as exchange_module
from policies.render import Renderer
from tests.gateway.pipeline.conftest import Running, running, settings
from tests.gateway.pipeline.scripted import Visit, completion, provider, whole

Break = Callable[[Running, pytest.MonkeyPatch], None]


def broken(*_: object, **__: object) -> Never:
    raise RuntimeError("injected")


def in_assignment(_: Running, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(exchange_module, "decide", broken)


def in_render(_: Running, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Renderer, "render", broken)


def in_record(gateway: Running, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(type(gateway.core.recorder), "assignment", broken)


def in_evidence(gateway: Running, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gateway.core.posteriors, "add", broken)


def in_outcome(_: Running, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(exchange_module, "settle", broken)


def in_signals(gateway: Running, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(type(gateway.core.recent), "add", broken)


@pytest.mark.parametrize(
    ("stage", "sabotage", "failure"),
    [
        ("assignment", in_assignment, "fell_open"),
        ("render", in_render, "fell_open"),
        ("record", in_record, "fell_open"),
        ("outcome", in_outcome, "fell_open"),
        ("signals", in_signals, "fell_open"),
        ("evidence", in_evidence, None),  # learning from the outcome failed: the answer itself was fine
    ],
)
async def test_the_client_gets_its_answer(
    gateway: Running, monkeypatch: pytest.MonkeyPatch, stage: Any, sabotage: Break, failure: str | None
) -> None:
    sabotage(gateway, monkeypatch)
    status, _, body = await gateway.ask(model="assistant")
    assert status == 200
    assert body["choices"][0]["message"]["content"]
    assert gateway.core.fall_open.counts[stage] >= 1
    assert gateway.frames("outcome")[0]["failure"] == failure


async def test_a_broken_match_relays_the_bytes(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(gateway.core.epoch.matcher), "find", broken)
    status, _, _ = await gateway.ask(model="sandbox-medium")
    assert status == 200
    assert gateway.core.fall_open.counts["assignment"] == 1


async def test_the_registry_may_be_gone(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.worker._registry, "put_totals", broken)
    assert (await gateway.ask())[0] == 200
    await gateway.until(lambda: gateway.core.fall_open.counts["registry"] >= 1)
    assert (await gateway.ask())[0] == 200


async def test_a_full_disk_stops_decisions_not_answers(gateway: Running) -> None:
    def full(_: int, __: bytes) -> int:
        raise OSError(28, "No space left on device")

    gateway.worker.spool.writer._write = full
    assert (await gateway.ask())[0] == 200
    assert not gateway.core.recording
    assert gateway.core.fall_open.counts["record"] >= 1
    async with gateway.http.get(f"{gateway.process.admin_url}/admin/status") as answer:
        shown = await answer.json()
    assert shown["deciding"] is False
    assert shown["spool"]["waiting_bytes"] > 0


async def test_an_arms_broken_render_falls_back_to_production(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    async def script(visit: Visit) -> None:
        seen.append(visit.body)
        await visit.send(whole(completion()))

    async with provider(script) as base, running(settings(base), tmp_path) as gateway:
        real, calls = Renderer.render, []

        def once(self: Renderer, *args: Any, **options: Any) -> bytes:
            calls.append(self)
            if len(calls) == 1:
                raise RuntimeError("injected")
            return real(self, *args, **options)

        monkeypatch.setattr(Renderer, "render", once)
        await gateway.ask()
        assert gateway.frames("outcome")[0]["failure"] == "fell_open"
    assert b"Answer kindly." in seen[0]


async def test_a_body_that_no_genome_fits_is_the_providers_to_refuse(tmp_path: Path) -> None:
    async def script(visit: Visit) -> None:
        await visit.send(whole(b'{"error":{"message":"messages must be a list"}}', b"400 Bad Request"))

    async with provider(script) as base, running(settings(base), tmp_path) as gateway:
        body = {"model": "sandbox-large", "messages": "hello"}
        async with gateway.http.post(f"{gateway.url}/v1/chat/completions", json=body) as answer:
            assert answer.status == 400
        assert gateway.core.fall_open.counts["render"] == 0
        assert gateway.frames("outcome")[0]["failure"] == "bad_request"
