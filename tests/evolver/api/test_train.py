"""POST /api/v1/train: from recordings to a candidate with its gain, and in words where there is none."""

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from evolver.api import create_app
from evolver.daemon import Daemon
from evolver.publish import document
from gateway.sandbox.tasks import tasks
from gateway.sandbox.worlds import World as Sandbox
from policies.registry.operations import promote
from tests.evolver.support import POLICY, World, exchange, make_settings, signal

Api = TestClient[Any, Any]
SEED = 3  # of the sandbox that `served` asks


@pytest.fixture
async def api(served: World) -> AsyncIterator[Api]:
    url = served.settings.upstreams["sandbox"].base_url
    served.configure(make_settings(url, policy={"genome": {"strategy": {"model_key": "large"}}}))
    async with Daemon(served.settings, served.home) as daemon, TestClient(TestServer(create_app(daemon))) as client:
        yield client


async def wordy_classification(world: World, count: int = 160) -> None:
    """Requests of one family, whose users corrected every other answer: they want the bare label."""
    sandbox = Sandbox(SEED)
    found = tasks(Random(1), sandbox, {"classification": 1.0})
    arm = world.production.genome.content_hash
    frames: list[Any] = []
    for number, task in zip(range(count), found, strict=False):
        at = world.now - 1_000 + number
        right = next(label for label in sandbox.labels if task.check(label) == 1.0)
        said = (
            f"I would say that this belongs to {right}, since that is what it is mostly about." if number % 2 else right
        )
        body = task.body("sandbox-large")
        frames += exchange(number, at=at, answer=said, arm=arm, body=body)
        if number % 2:
            data = {"score": 0.0, "correction": right}
            frames += [signal(number, "feedback", data, at=at + 1), signal(number, "correction", at=at + 1)]
        else:
            frames.append(signal(number, "feedback", {"score": 1.0}, at=at + 1))
    await world.record(frames)


@pytest.mark.parametrize("method", ["grpo", "experience"])
async def test_a_candidate_with_its_gain_and_what_stands_behind_it(served: World, api: Api, method: str) -> None:
    await wordy_classification(served)
    async with api.post("/api/v1/train", json={"method": method, "calls": 400, "usd": 2.0}) as answer:
        value = await answer.json()
    assert answer.status == 200, value
    assert value["reward_gain"]["mean"] > 0.1, value["said"]
    assert value["reward_gain"]["examples"] > 5
    assert 0 < value["calls"] <= 400
    assert any(not group["skipped"] for group in value["groups"])
    candidate = await served.registry.candidate(value["candidate"])
    assert (candidate.state, candidate.layer, candidate.lineage.source) == ("proposed", "prompt", "rl_trainer")
    assert candidate.genome.content_hash == value["hash"]
    assert candidate.stations["training"]["reward_gain"] == value["reward_gain"]
    version = await promote(
        served.registry, candidate, who="t", reason="t", now=served.now, evidence={"intervals": {"reward": [0.1, 0.2]}}
    )
    published = document(version, served.production, candidate.stations["training"])
    assert published["metadata"]["reward_gain"] == value["reward_gain"]
    assert document(version, served.production)["metadata"]["reward_gain"] == [0.1, 0.2]
    assert published["source"] == "rl_trainer"
    assert published["metadata"]["cluster_id"] == value["lineage"]["finding"]


async def test_it_only_computes_where_asked_to(served: World, api: Api) -> None:
    await wordy_classification(served)
    async with api.post("/api/v1/train", json={"propose": False, "calls": 300}) as answer:
        value = await answer.json()
    assert value["candidate"] is None
    assert value["genome"] is not None
    assert await served.registry.candidates(POLICY) == []


@pytest.mark.parametrize("budget", [{"calls": 0}, {"usd": 0.0}])
async def test_a_budget_of_zero_ends_in_words(served: World, api: Api, budget: dict[str, float]) -> None:
    await wordy_classification(served, 40)
    async with api.post("/api/v1/train", json=budget) as answer:
        value = await answer.json()
    assert (answer.status, value["genome"], value["calls"]) == (200, None, 0)
    assert "budget" in value["said"]


async def test_nothing_recorded_is_a_conflict(served: World, api: Api) -> None:
    async with api.post("/api/v1/train") as answer:
        assert answer.status == 409
        assert "no recorded request" in (await answer.json())["error"]["message"]


async def test_no_proposal_while_frozen(served: World, api: Api) -> None:
    await served.registry.set_state("freeze", {"frozen": True})
    async with api.post("/api/v1/train") as answer:
        assert answer.status == 409
        assert "thaw" in (await answer.json())["error"]["message"]


@pytest.mark.parametrize("wrong", [{"method": "sft"}, {"calls": -1}, {"usd": "much"}, {"rounds": 3}])
async def test_a_wrong_field_is_named(api: Api, wrong: dict[str, Any]) -> None:
    async with api.post("/api/v1/train", json=wrong) as answer:
        assert answer.status == 400
        assert next(iter(wrong)) in (await answer.json())["error"]["message"]
