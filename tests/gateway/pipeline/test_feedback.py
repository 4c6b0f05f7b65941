"""`POST /v1/feedback`: addressing, validation, idempotence, and what it changes."""

from typing import Any

import pytest

from tests.gateway.pipeline.conftest import Running


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
