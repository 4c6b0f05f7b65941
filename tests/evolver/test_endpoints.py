"""Replay asks again where a request was asked, in that endpoint's words, and writes into no stored conversation."""

from typing import Any

import pytest

from config.policy import Policy
from config.settings import Settings
from evolver.examples import Example
from evolver.provider import Provider
from evolver.replay import Replay
from gateway.sandbox.app import running_sandbox
from policies.genome import Genome

GENOME = Genome.model_validate({"prompt": {"rubric": ["Answer kindly."]}, "strategy": {"max_tokens": 512}})
ASKED: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hello there"}]},
    "/v1/completions": {"prompt": "hello there"},
    "/v1/responses": {"input": "hello there"},
    "/v1/messages": {"messages": [{"role": "user", "content": "hello there"}], "max_tokens": 100},
}


def example(path: str, **more: Any) -> Example:
    return Example(
        id="r", at=0.0, policy="p", unit="u", turn=1, arm="a", version="1.0", intent="", model="m", stream=True,
        body={"model": "sandbox-small", "stream": True, **ASKED[path], **more}, answer=None, path=path,
    )  # fmt: skip


async def replayed(one: Example) -> Any:
    async with running_sandbox(1, failure_scale=0.0) as url:
        settings = Settings.model_validate(
            {
                "upstreams": {
                    "sandbox": {"base_url": url, "kind": "anthropic" if "messages" in one.path else "openai"}
                },
                "models": {"small": {"upstream": "sandbox", "model": "sandbox-small"}},
            }
        )
        async with Provider(settings) as provider:
            (found,) = await Replay(settings, Policy(), provider).run(GENOME, [one])
            return found


@pytest.mark.parametrize("path", ASKED)
async def test_a_request_is_replayed_where_it_was_asked(path: str) -> None:
    assert example(path).request_text == "hello there"
    found = await replayed(example(path))
    assert found.measured
    assert found.failure is None
    assert found.completion.answer.text.startswith("This is the sandbox")
    assert found.completion.answer.output_tokens > 0


async def test_a_conversation_that_the_provider_keeps_is_left_alone() -> None:
    found = await replayed(example("/v1/responses", conversation="conv_1"))
    assert not found.measured
    assert "conversation" in found.completion.error
