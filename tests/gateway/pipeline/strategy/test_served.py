"""What a client sees of a request that several calls serve, and what is on record of it."""

import asyncio
from pathlib import Path

import orjson
import pytest

from config.settings import Settings
from gateway.pipeline.strategy.coordinator import Coordinator
from tests.gateway.pipeline.conftest import JSON, settings
from tests.gateway.pipeline.strategy.conftest import MODELS, bench
from tests.gateway.pipeline.strategy.genes import WANTS_A, by_turn, says, verifies

VOTE: JSON = {"use_consensus": True}
CASCADE: JSON = {"cascade_model": "small"}
TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "required": ["what"]}}}


async def test_a_held_stream_gets_comments_and_then_the_chosen_answer(tmp_path: Path) -> None:
    async with bench(tmp_path, VOTE, by_turn("yes")) as found:
        found.release.clear()
        async with found.stream() as answer:
            assert answer.status == 200
            assert answer.headers["content-type"] == "text/event-stream"
            assert await answer.content.readuntil(b"\n\n") == b": keep-alive\n\n"
            found.release.set()
            rest = await answer.content.read()
        events = [event for event in rest.split(b"\n\n") if event.startswith(b"data: ")]
        assert [orjson.loads(event[6:])["choices"][0]["delta"]["content"] for event in events[:-1]] == ["yes", ""]
        assert events[-1] == b"data: [DONE]"
        assert (found.outcome["failure"], found.outcome["strategy"]["kind"]) == (None, "consensus")


async def test_an_escalated_stream_is_relayed_as_it_comes(tmp_path: Path) -> None:
    async with bench(tmp_path, CASCADE, says("Incorrect")) as found, found.stream() as answer:
        assert b'"large"' in await answer.content.read()
        assert [call["role"] for call in found.outcome["strategy"]["calls"] if call["chosen"]] == ["strong"]


async def test_a_hang_up_ends_every_voter(tmp_path: Path) -> None:
    async with bench(tmp_path, VOTE, lambda *_: None) as found:
        async with found.stream() as answer:
            await answer.content.readuntil(b"\n\n")
        await found.gateway.until(lambda: found.hangs == 3)
        await found.gateway.until(lambda: bool(found.gateway.frames("outcome")))
        assert found.outcome["failure"] == "client_gone"


async def test_a_quorum_ends_the_rest_and_all_is_charged(tmp_path: Path) -> None:
    async with bench(tmp_path, VOTE, lambda _, number: "a" if number < 2 else None) as found:
        assert await found.ask() == "a"
        await found.gateway.until(lambda: found.hangs == 1)
        calls, one = found.outcome["strategy"]["calls"], (10 * 2.0 + 5 * 8.0) / 1e6
        assert [call.get("failure") for call in calls] == [None, None, "cancelled"]
        assert [call["cost_usd"] for call in calls] == pytest.approx([one] * 3)
        assert found.outcome["cost_usd"] == pytest.approx(3 * one)
        assert found.outcome["output_tokens"] == 5, "usage is the chosen answer's"
        assert found.outcome["strategy"]["agreement"] == pytest.approx(2 / 3)
        assert found.outcome["attempts"] == 3


async def test_a_voter_that_fails_is_outvoted(tmp_path: Path) -> None:
    async with bench(tmp_path, VOTE, by_turn("500", "a", "a")) as found:
        assert await found.ask() == "a"
        assert found.outcome["failure"] is None


async def test_voters_that_all_fail_pass_the_providers_error_on(tmp_path: Path) -> None:
    async with bench(tmp_path, VOTE, by_turn("500")) as found:
        status, _, body = await found.gateway.ask()
        assert (status, body["error"]["message"]) == (500, "broken")
        async with found.stream() as answer:
            assert answer.status == 500
        assert found.outcome["failure"] == "server_error"


async def test_a_failure_after_comments_ends_the_stream_with_an_error(tmp_path: Path) -> None:
    async with bench(
        tmp_path, CASCADE, lambda body, _: "500" if body["model"] == "sandbox-large" else "small"
    ) as found:
        found.release.clear()
        async with found.stream() as answer:
            await answer.content.readuntil(b"\n\n")
            found.release.set()
            assert b'"small"' in await answer.content.read(), "the cheap answer is better than none"


@pytest.mark.parametrize("genes", [VOTE, CASCADE, {"repairs": "ask"}], ids=["consensus", "cascade", "repairs"])
async def test_a_fault_inside_falls_back_to_the_plain_call(
    genes: JSON, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(Coordinator, "_heard", broken)
    async with bench(tmp_path, genes, says("Correct")) as found:
        assert await found.ask() == "large"
        assert found.gateway.core.fall_open.counts["strategy"] == 1
        assert found.outcome["failure"] == "fell_open"
        assert found.outcome["cost_usd"] > 0.0


async def test_what_does_not_fit_is_asked_for_again_once(tmp_path: Path) -> None:
    async with bench(tmp_path, {"repairs": "ask"}, by_turn("no json", '{"a": 1}')) as found:
        assert await found.ask(response_format=WANTS_A) == '{"a": 1}'
        again = found.sent[1]["messages"]
        assert [message["role"] for message in again] == ["user", "assistant", "user"]
        assert "not valid JSON" in again[-1]["content"]
        assert (found.outcome["repairs"], found.outcome["failure"]) == (1, None)
        assert found.outcome["reward"] < 0.81, "a repair costs 0.2"


async def test_a_second_answer_that_does_not_fit_either_leaves_the_first(tmp_path: Path) -> None:
    async with bench(tmp_path, {"repairs": "ask"}, by_turn("no json", "still none")) as found:
        assert await found.ask(response_format=WANTS_A) == "no json"
        assert (found.outcome["failure"], len(found.sent)) == ("invalid_output", 2)


async def test_a_stream_is_never_repaired_nor_held_for_it(tmp_path: Path) -> None:
    async with bench(tmp_path, {"repairs": "ask"}, by_turn("no json")) as found, found.stream() as answer:
        assert b": keep-alive" not in await answer.content.read()
        assert found.outcome["strategy"] is None


async def test_the_cheap_answer_that_the_validators_reject_is_not_asked_about(tmp_path: Path) -> None:
    async with bench(tmp_path, CASCADE, by_turn("no json", '{"a": 1}')) as found:
        assert await found.ask(response_format=WANTS_A) == '{"a": 1}'
        assert not any(map(verifies, found.sent))
        assert found.outcome["strategy"]["confidence"] == 0.0


async def test_the_routers_terms_are_on_record_and_it_learns(tmp_path: Path) -> None:
    async with bench(tmp_path, {"model_key": "auto"}, by_turn("fine")) as found:
        await found.ask()
        (assigned,) = found.gateway.frames("assignment")
        assert assigned["routing"]["key"] == "small"
        assert set(assigned["routing"]["terms"]) == {"large", "small"}
        assert all(len(terms) == 6 for terms in assigned["routing"]["terms"].values())
        await found.ask()
        first, second = (frame["routing"]["terms"]["small"][0] for frame in found.gateway.frames("assignment"))
        assert second > first, "it went well, and the same was asked again"


async def test_the_router_passes_over_models_that_can_not_take_the_request(tmp_path: Path) -> None:
    models = {**MODELS, "small": {**MODELS["small"], "tools": False}}
    async with bench(tmp_path, {"model_key": "auto"}, by_turn("fine"), models) as found:
        await found.ask()
        await found.ask(tools=[TOOL])
        assert [body["model"] for body in found.sent] == ["sandbox-small", "sandbox-large"]


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ({"model_key": "large", "cascade_model": "large"}, "to itself"),
        ({"cascade_model": "nobody"}, "strategy.cascade_model: 'nobody' is not defined"),
        ({"use_consensus": True, "voter_models": ["large", "gone"]}, "strategy.voter_models: 'gone' is not defined"),
    ],
)
def test_a_strategy_that_leads_nowhere_is_refused_at_load(strategy: JSON, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings("http://127.0.0.1:1/v1", {"genome": {"strategy": strategy}})


def test_a_model_can_not_be_called_what_means_something_else() -> None:
    with pytest.raises(ValueError, match="meaning of its own"):
        Settings.model_validate(
            {"upstreams": {"u": {"base_url": "http://u"}}, "models": {"auto": {"upstream": "u", "model": "m"}}}
        )


async def test_concurrent_requests_do_not_meet(tmp_path: Path) -> None:
    async with bench(tmp_path, VOTE, lambda body, _: str(body["messages"][-1]["content"])) as found:
        asked = [found.gateway.ask(f"question {number}") for number in range(8)]
        texts = [body["choices"][0]["message"]["content"] for _, _, body in await asyncio.gather(*asked)]
        assert texts == [f"question {number}" for number in range(8)]
