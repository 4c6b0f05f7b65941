"""`POST /v1/feedback`: addressing, validation, idempotence, and what it changes."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.pipeline import desk, quota
from tests.gateway.pipeline.conftest import Running, running, settings
from tests.gateway.pipeline.scripted import provider
from tests.gateway.pipeline.test_suspension import fine


async def send(gateway: Running, **body: Any) -> tuple[int, Any]:
    async with gateway.http.post(f"{gateway.url}/v1/feedback", json=body) as answer:
        return answer.status, await answer.json()


async def test_it_is_recorded_once_and_revises_the_reward(gateway: Running) -> None:
    _, headers, _ = await gateway.ask()
    request_id = headers["x-evogate-request-id"]
    arm = gateway.core.epoch.policies["assistant"].production.hash
    before = gateway.core.posteriors.of("assistant", arm)
    for _ in range(2):
        status, _ = await send(
            gateway, request_id=request_id, label="down", correction="it is 4", tags={"page": "home"}
        )
        assert status == 202
    (signal,) = gateway.frames("signal")
    assert (signal["id"], signal["kind"], signal["policy"]) == (request_id, "feedback", "assistant")
    assert (signal["data"]["score"], signal["data"]["correction"]) == (0.0, "it is 4")
    after = gateway.core.posteriors.of("assistant", arm)
    assert after.mean < before.mean
    assert after.weight == pytest.approx(before.weight), "the reward is revised, not counted again"


async def test_what_is_remembered_no_more_is_looked_up(gateway: Running) -> None:
    _, headers, _ = await gateway.ask()
    request_id = headers["x-evogate-request-id"]
    arm = gateway.core.epoch.policies["assistant"].production.hash
    before = gateway.core.posteriors.of("assistant", arm)
    await send(gateway, request_id=request_id, label="up")
    gateway.core.recent._by_id.clear()  # as after 65,536 further requests
    assert (await send(gateway, request_id=request_id, label="up"))[1]["counted"] is False, "said before, on record"
    gateway.worker.desk.recorded._found.clear()
    status, body = await send(gateway, request_id=request_id, label="down")
    assert (status, body["request_id"], body["counted"]) == (202, request_id, True)
    assert (await send(gateway, request_id=request_id, label="down"))[1]["counted"] is False
    after = gateway.core.posteriors.of("assistant", arm)
    assert after.mean < before.mean
    assert after.weight == pytest.approx(before.weight), "the reward is revised, not counted again"
    gateway.worker.desk.recorded._found.clear()
    gateway.worker.desk.recorded.retain_s = 1e-9
    assert (await send(gateway, request_id=request_id, label="up"))[0] == 404, "older than what is kept"
    gateway.worker.desk.recorded.retain_s = None
    nobody = gateway.core.new_id()
    assert (await send(gateway, request_id=nobody, label="up"))[0] == 404


async def test_searches_are_bounded(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "WAITING", 2)
    go = asyncio.Event()

    async def slow(_: str) -> None:
        await go.wait()

    monkeypatch.setattr(gateway.worker.desk.recorded, "_look_up", slow)
    waiting = [asyncio.create_task(send(gateway, request_id=gateway.core.new_id(), score=1)) for _ in range(2)]
    await gateway.until(lambda: len(gateway.worker.desk._searches) == 2)
    status, body = await send(gateway, request_id=gateway.core.new_id(), score=1)
    assert (status, body["error"]["code"]) == (503, "feedback_busy")
    go.set()
    assert [status for status, _ in await asyncio.gather(*waiting)] == [404, 404]


async def test_a_flood_from_one_credential_is_refused_counted_and_moves_nothing(tmp_path: Path) -> None:
    limits = {"limits": {"feedback_per_minute": 5}}
    async with provider(fine) as base, running(settings(base, gateway=limits), tmp_path) as gateway:
        arm = gateway.core.epoch.policies["assistant"].production.hash
        ids = [(await gateway.ask(f"q{n}"))[1]["x-evogate-request-id"] for n in range(12)]
        said = [(await send(gateway, request_id=each, label="down"))[0] for each in ids[:5]]
        after = gateway.core.posteriors.of("assistant", arm)
        for each in ids[5:]:
            status, body = await send(gateway, request_id=each, label="down")
            assert (status, body["error"]["code"]) == (429, "feedback_flood")
        assert said == [202] * 5
        assert gateway.core.posteriors.of("assistant", arm) == after
        assert gateway.core.metrics.errors["feedback_flood"] == 7
        other = {"Authorization": "Bearer another"}
        word = {"request_id": ids[-1], "label": "down"}
        async with gateway.http.post(f"{gateway.url}/v1/feedback", json=word, headers=other) as answer:
            assert answer.status == 202


async def test_a_session_means_its_latest_request(gateway: Running) -> None:
    await gateway.ask("one", headers={"x-evogate-session": "s-1"})
    _, headers, _ = await gateway.ask("two", headers={"x-evogate-session": "s-1"})
    status, body = await send(gateway, session="s-1", score=0.75)
    assert (status, body["request_id"]) == (202, headers["x-evogate-request-id"])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"request_id": "nobody", "score": 1}, 404),
        ({"session": "nobody", "score": 1}, 404),
        ({"score": 1}, 400),
        ({"request_id": "x", "session": "y", "score": 1}, 400),
        ({"request_id": "x", "score": 1.01}, 400),
        ({"request_id": "x", "score": -0.1}, 400),
        ({"request_id": "x", "score": True}, 400),
        ({"request_id": "x", "score": "1"}, 400),
        ({"request_id": "x", "label": "sideways"}, 400),
        ({"request_id": "x", "label": "up", "score": 1}, 400),
        ({"request_id": "x"}, 400),
        ({"request_id": "x", "score": 1, "stars": 5}, 400),
        ({"request_id": "x", "tags": {"a": {"b": 1}}}, 400),
        ({"request_id": "x" * 600, "score": 1}, 400),
    ],
)
async def test_what_is_refused(gateway: Running, body: dict[str, Any], expected: int) -> None:
    status, answer = await send(gateway, **body)
    assert status == expected
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert gateway.frames("signal") == []


async def test_one_credential_may_judge_a_share_of_the_answers_and_the_rest_is_left_out(tmp_path: Path) -> None:
    """Beyond it its words move no posterior, no evidence and no record, whichever arm they are about."""
    limits = {"limits": {"feedback_share": 0.25}}
    async with provider(fine) as base, running(settings(base, gateway=limits), tmp_path) as gateway:
        arm = gateway.core.epoch.policies["assistant"].production.hash
        ids = [(await gateway.ask(f"q{n}"))[1]["x-evogate-request-id"] for n in range(120)]
        most = round(0.25 * quota.AT_ONCE)  # at once; then one of four answers
        said = [await send(gateway, request_id=each, label="down") for each in ids[:most]]
        assert {status for status, _ in said} == {202}
        after, signals = gateway.core.posteriors.of("assistant", arm), len(gateway.frames("signal"))
        for each in ids[most : most + 3]:
            status, body = await send(gateway, request_id=each, label="down")
            assert (status, body["error"]["code"]) == (429, "feedback_share")
            assert "after 4 more of them" in body["error"]["message"]
            assert "gateway.limits.feedback_share" in body["error"]["message"]
        assert gateway.core.posteriors.of("assistant", arm) == after
        assert len(gateway.frames("signal")) == signals == most
        assert gateway.core.metrics.errors["feedback_share"] == 3
        assert (await send(gateway, request_id=ids[0], label="down"))[1]["counted"] is False, "what was said is said"
        assert (await send(gateway, request_id=ids[0], correction="it is 4"))[0] == 202, "moves nothing"
        word = {"request_id": ids[-1], "label": "down"}
        other = {"Authorization": "Bearer another"}
        async with gateway.http.post(f"{gateway.url}/v1/feedback", json=word, headers=other) as answer:
            assert answer.status == 202, "others are not held up"
        for n in range(4):
            await gateway.ask(f"more {n}")
        assert [(await send(gateway, request_id=each, label="down"))[0] for each in ids[most : most + 2]] == [202, 429]
