"""A POST sent again is done once; a key is good for one request; what is stored is bounded and outlives a restart."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from evolver.api import create_app, idempotency
from evolver.daemon import Daemon
from tests.evolver.support import POLICY, START, World, make_settings, make_world, with_rule

Api = TestClient[Any, Any]
RESTORE = "/api/v1/versions/v1.0/restore"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """v1.1 in production, so that v1.0 can be restored."""
    async with make_world(tmp_path, make_settings()) as made:
        genome = with_rule(made.production.genome, "Another rule.")
        second = await made.registry.add_version(
            POLICY, genome, made.production.lineage, who="evolver", why="better", now=START
        )
        await made.registry.move(POLICY, second.label, expected_revision=1, who="evolver", why="better", now=START)
        yield made


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with Daemon(world.settings, world.home) as daemon, TestClient(TestServer(create_app(daemon))) as client:
        yield client


async def post(api: Api, key: str, body: Any = None, path: str = RESTORE) -> tuple[int, Any, bool]:
    async with api.post(path, json=body, headers={"Idempotency-Key": key}) as answer:
        return answer.status, await answer.json(), answer.headers.get("Idempotent-Replayed") == "true"


async def test_the_same_request_is_done_once(world: World, api: Api) -> None:
    first = await post(api, "k1")
    again = await post(api, "k1")
    assert first == (200, {"success": True, "version": "v1.2", "policy": POLICY}, False)
    assert again == (200, first[1], True)
    assert [version.label for version in await world.registry.versions(POLICY)] == ["v1.0", "v1.1", "v1.2"]


async def test_a_key_is_good_for_one_request(api: Api) -> None:
    await post(api, "k1")
    for body, path in (({"why": "another"}, RESTORE), (None, f"{RESTORE}?policy={POLICY}"), (None, "/api/v1/rank")):
        status, answer, _ = await post(api, "k1", body, path)
        assert status == 422
        assert "take a fresh one" in answer["error"]["message"]
    assert (await post(api, "k2", {"why": "another"}))[0] == 409  # v1.0's content is in production already


async def test_a_refusal_may_be_asked_again(world: World, api: Api) -> None:
    assert (await post(api, "k1", {"layer": "strategy"}))[0] == 409
    genome = world.production.genome
    warmer = genome.model_copy(update={"strategy": genome.strategy.model_copy(update={"temperature": 0.9})})
    third = await world.registry.add_version(POLICY, warmer, world.production.lineage, who="t", why="t", now=START)
    await world.registry.move(POLICY, third.label, expected_revision=2, who="t", why="t", now=START)
    assert (await post(api, "k1", {"layer": "strategy"}))[0] == 200


async def test_two_at_once_are_done_once(world: World, api: Api) -> None:
    answers = await asyncio.gather(*(post(api, "k1") for _ in range(8)))
    assert {status for status, _, _ in answers} <= {200, 409}
    assert sum(status == 200 and not again for status, _, again in answers) == 1
    assert len(await world.registry.versions(POLICY)) == 3


async def test_answers_outlive_a_restart(world: World) -> None:
    answers = []
    for _ in range(2):
        async with Daemon(world.settings, world.home) as daemon, TestClient(TestServer(create_app(daemon))) as client:
            answers.append(await post(client, "k1"))
    assert [again for _, _, again in answers] == [False, True]
    assert answers[0][1] == answers[1][1]


async def test_they_are_bounded_in_number_and_age(world: World, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "MOST", 3)
    rank = {"texts": ["Reply in JSON."]}
    for n in range(5):
        await post(api, f"k{n}", rank, "/api/v1/rank")
    assert set(await world.store.kept("idempotency")) == {"k2", "k3", "k4"}
    monkeypatch.setattr(idempotency, "KEPT_S", -1.0)
    assert not (await post(api, "k4", rank, "/api/v1/rank"))[2]
    assert set(await world.store.kept("idempotency")) == {"k4"}


async def test_a_large_answer_is_not_kept(world: World, api: Api) -> None:
    texts = [f"Reply in JSON, {n}, and {'x' * 1_000}" for n in range(100)]
    status, _, _ = await post(api, "k1", {"texts": texts}, "/api/v1/rank")
    assert status == 200
    assert await world.store.kept("idempotency") == {}


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tbed"])
async def test_a_key_that_is_none_is_refused(api: Api, key: str) -> None:
    status, answer, _ = await post(api, key)
    assert (status, answer["error"]["param"]) == (400, "Idempotency-Key")
