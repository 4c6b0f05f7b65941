"""Calls with the operator's key and nothing else; what happened is a value, never an exception."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from config.upstreams import Upstream
from evolver.agreement import agreement, normalise
from evolver.examples import Example
from evolver.provider import Completion, Provider, model_key_of, usable
from policies.genome import Genome, StrategyLayer
from policies.outcome import Answer
from tests.evolver.support import World, body, make_settings


async def test_a_completion_is_measured_and_priced(served: World) -> None:
    completion = await served.provider.complete("medium", {"messages": body()["messages"]})
    assert completion.status == 200
    assert completion.answer is not None
    assert completion.answer.text
    assert completion.latency_ms > 0
    tokens = completion.answer.input_tokens * 0.4 + completion.answer.output_tokens * 1.6
    assert completion.cost_usd == pytest.approx(tokens / 1e6)
    assert served.provider.spent_usd == completion.cost_usd


async def test_nobody_there(world: World) -> None:
    completion = await world.provider.complete("medium", {"messages": body()["messages"]})
    assert (completion.status, completion.down) == (0, True)
    assert completion.error


@pytest.mark.parametrize(
    ("status", "text", "down"),
    [
        (500, "oops", True),
        (429, "{}", True),
        (401, "{}", True),
        (400, "{}", False),
        (200, "[]", False),
        (200, "<", False),
    ],
)
async def test_what_is_no_answer(status: int, text: str, down: bool) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text)

    completion = await ask(answer)
    assert completion.answer is None
    assert completion.error
    assert completion.down is down


async def ask(handler: object, timeout_s: float = 5.0) -> Completion:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", handler)  # type: ignore[arg-type]
    async with TestServer(app) as server:
        settings = make_settings(str(server.make_url("/v1")))
        async with Provider(settings, timeout_s=timeout_s) as provider:
            return await provider.complete("medium", {"messages": body()["messages"]})


async def test_a_provider_that_hangs_is_left_in_time() -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    completion = await ask(hang, timeout_s=0.05)
    assert completion.status == 0


async def test_the_operators_key_goes_along() -> None:
    seen: list[str | None] = []

    async def look(request: web.Request) -> web.Response:
        seen.append(request.headers.get("authorization"))
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", look)
    async with TestServer(app) as server:
        settings = make_settings(str(server.make_url("/v1")))
        upstream = Upstream.model_validate({"base_url": str(server.make_url("/v1")), "api_key": "sk-operator"})
        settings = settings.model_copy(update={"upstreams": {"sandbox": upstream}})
        async with Provider(settings) as provider:
            await provider.complete("small", {"messages": body()["messages"]})
    assert seen == ["Bearer sk-operator"]


@pytest.mark.parametrize(
    ("url", "key", "expected"),
    [
        ("http://127.0.0.1:1/v1", None, True),
        ("http://localhost:1/v1", None, True),
        ("https://api.example.com/v1", None, False),
        ("https://api.example.com/v1", "sk-1", True),
        ("https://127.0.0.1.example.com/v1", None, False),
    ],
)
def test_what_can_be_called(url: str, key: str | None, expected: bool) -> None:
    assert usable(Upstream.model_validate({"base_url": url, "api_key": key})) is expected


def test_which_model_serves() -> None:
    settings = make_settings()
    own = Genome(strategy=StrategyLayer(model_key="small"))
    assert model_key_of(settings, own, {"model": "sandbox-large"}) == "small"
    assert model_key_of(settings, Genome(), {"model": "sandbox-medium"}) == "medium"
    assert model_key_of(settings, Genome(), {"model": "medium"}) == "medium"
    assert model_key_of(settings, Genome(), {"model": "support"}) == "large"


def known(answer: str, *, score: float | None = 1.0, correction: str | None = None, **more: object) -> Example:
    fields = {"id": "r", "at": 0.0, "policy": "p", "unit": "u", "turn": 1, "arm": "a", "version": "v1.0", "intent": ""}
    said = {"text": answer, "tool_calls": more.pop("tool_calls", [])}
    return Example(**fields, model="m", stream=False, body={}, answer=said, score=score, correction=correction)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("example", "text", "expected"),
    [
        (known("42"), "42.", 1.0),
        (known("42"), "41", 0.0),
        (known("42", score=0.9), "41", None),
        (known("42", score=None), "41", None),
        (known("x" * 100), "anything", None),
        (known('{"a": 1, "b": 2}'), '{"b": 2, "a": 1}', 1.0),
        (known('{"a": 1, "b": 2}'), '{"a": 1, "b": 3}', 0.5),
        (known('{"a": 1}'), "no JSON", 0.0),
        (known("wrong", score=0.0, correction="Paris"), "paris", 1.0),
        (known("wrong", score=0.0, correction="Paris"), "London", 0.0),
    ],
)
def test_agreement(example: Example, text: str, expected: float | None) -> None:
    assert agreement(example, Answer(text=text)) == expected


def test_agreement_of_tool_calls() -> None:
    calls = [{"id": "1", "name": "f", "arguments": '{"x": 1}'}]
    same = Answer(tool_calls=[{"id": "2", "name": "f", "arguments": '{ "x":1 }'}])
    other = Answer(tool_calls=[{"id": "2", "name": "g", "arguments": '{"x": 1}'}])
    assert agreement(known("", tool_calls=calls), same) == 1.0
    assert agreement(known("", tool_calls=calls), other) == 0.0


def test_normalising_is_idempotent() -> None:
    for text in ("  A  b. ", '```json\n{"b":1,"a":2}\n```', "", "{broken"):
        assert normalise(normalise(text)) == normalise(text)
