"""Shadow candidates with a strategy are served as a client's request would be: same calls, all of them charged."""

from pathlib import Path

import pytest

from policies.genome import Genome
from tests.gateway.pipeline.conftest import JSON
from tests.gateway.pipeline.experiments import shadow
from tests.gateway.pipeline.strategy.conftest import Bench, bench
from tests.gateway.pipeline.strategy.genes import WANTS_A, Reply, by_turn, says, verifies

SHADOW = {"shadow": {"sample": 1.0}, "budgets": {"usd_per_request": 0.02}}
MARK = "Of the candidate."
ONE = (10 * 2.0 + 5 * 8.0) / 1e6  # dollars for one call of the large model


def candidate(**strategy: object) -> Genome:
    return Genome.model_validate({"prompt": {"rubric": MARK}, "strategy": {"model_key": "large", **strategy}})


def only_shadow(reply: Reply) -> Reply:
    """Production gets `fine`; the candidate's calls get what the reply says, counted from its first."""
    return lambda request, number: reply(request, number - 1) if number else "fine"


async def mirrored(found: Bench, genome: Genome, **request: object) -> JSON:
    """What is on record of the shadow of one request."""
    await shadow(found.gateway, "c1", genome)
    assert await found.ask(**request) == "fine"
    await found.gateway.until(lambda: bool(found.gateway.frames("signal")))
    (signal,) = found.gateway.frames("signal")
    assert found.gateway.core.mirror.budget("assistant").in_flight == 0
    assert found.gateway.core.mirror.budget("assistant").reserved == 0.0
    assert found.gateway.core.mirror.budget("assistant").spent == pytest.approx(signal["data"]["cost_usd"])
    data: JSON = signal["data"]
    return data


async def test_a_vote_is_held_in_the_shadow_and_every_voter_is_charged(tmp_path: Path) -> None:
    async with bench(tmp_path, {}, only_shadow(by_turn("b", "a", "a")), policy=SHADOW) as found:
        data = await mirrored(found, candidate(use_consensus=True))
        assert data["answer"]["text"] == "a"
        assert data["strategy"]["kind"] == "consensus"
        assert data["cost_usd"] == pytest.approx(3 * ONE)
        assert all(MARK in str(sent["messages"]) for sent in found.sent[1:])
        assert found.outcome["strategy"] is None, "production made its one call"
        assert found.outcome["cost_usd"] == pytest.approx(ONE)


async def test_a_cascade_asks_its_verifier_in_the_shadow(tmp_path: Path) -> None:
    async with bench(tmp_path, {}, only_shadow(says("Incorrect")), policy=SHADOW) as found:
        data = await mirrored(found, candidate(cascade_model="small", cascade_samples=1))
        assert data["answer"]["text"] == "large"
        assert [call["role"] for call in data["strategy"]["calls"]] == ["cheap", "verifier", "strong"]
        assert sum(map(verifies, found.sent)) == 1


async def test_an_answer_is_mended_in_the_shadow(tmp_path: Path) -> None:
    async with bench(tmp_path, {}, only_shadow(by_turn('Here: {"a": 1,}')), policy=SHADOW) as found:
        data = await mirrored(found, candidate(repairs="local"), response_format=WANTS_A)
        assert (data["answer"]["text"], data["repairs"], data["failure"]) == ('{"a":1}', 1, None)


async def test_the_router_chooses_in_the_shadow_and_learns_from_it(tmp_path: Path) -> None:
    async with bench(tmp_path, {}, only_shadow(by_turn("good")), policy=SHADOW) as found:
        data = await mirrored(found, candidate(model_key="auto"))
        assert data["routing"]["key"] == "small"
        assert set(data["routing"]["terms"]) == {"large", "small"}
        assert found.sent[1]["model"] == "sandbox-small"
        (arm,) = found.gateway.core.epoch.policies["assistant"].shadows
        assert arm.open is not None
        assert arm.open.router is not None
        assert arm.open.router.changes == 1


async def test_a_candidate_of_one_call_makes_one(tmp_path: Path) -> None:
    async with bench(tmp_path, {}, only_shadow(by_turn("good")), policy=SHADOW) as found:
        data = await mirrored(found, candidate())
        assert (len(found.sent), data["strategy"]) == (2, None)
        assert data["cost_usd"] == pytest.approx(ONE)


async def test_the_worst_of_all_calls_is_set_aside(tmp_path: Path) -> None:
    policy = {**SHADOW, "shadow": {"sample": 1.0, "usd_per_day": 0.05}}  # two of three voters
    async with bench(tmp_path, {}, only_shadow(by_turn("good")), policy=policy) as found:
        await shadow(found.gateway, "c1", candidate(use_consensus=True))
        await found.ask()
        await found.gateway.until(lambda: found.gateway.core.metrics.mirror_dropped == 1)
        assert len(found.sent) == 1


async def test_voters_that_all_fail_are_the_candidates_failure(tmp_path: Path) -> None:
    async with bench(tmp_path, {}, only_shadow(by_turn("500")), policy=SHADOW) as found:
        data = await mirrored(found, candidate(use_consensus=True))
        assert (data["failure"], data["status"]) == ("server_error", 500)
        view = found.gateway.core.epoch.policies["assistant"]
        route = view.production.default.target.route
        assert route is not None
        assert route.in_flight == 0
        assert (await found.gateway.ask())[0] == 500, "of production alone"


async def test_a_fault_inside_is_the_candidates_and_costs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    async with bench(tmp_path, {}, only_shadow(by_turn("good")), policy=SHADOW) as found:
        monkeypatch.setattr(found.gateway.core.mirror, "serve", broken)
        data = await mirrored(found, candidate(use_consensus=True))
        assert data["failure"] == "fell_open"
        assert found.gateway.core.fall_open.counts["mirror"] == 1
