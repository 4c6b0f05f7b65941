"""What a stream holds while it lasts."""

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest

from gateway.pipeline.exchange import Exchange
from tests.gateway.pipeline.conftest import running, settings
from tests.gateway.pipeline.scripted import DONE, END, STREAM, Visit, chunk, delta, provider


@pytest.mark.parametrize(("resilience", "held"), [({"retries": 0}, False), ({"retries": 1, "rescue": True}, True)])
async def test_a_prompt_is_held_only_where_it_may_be_sent_again(
    resilience: dict[str, Any], held: bool, tmp_path: Path
) -> None:
    go_on = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.send(STREAM + chunk(delta("begun")))
        await go_on.wait()
        await visit.send(chunk(delta(" and ended", "stop")) + chunk(DONE) + END)

    policy = {"resilience": resilience}
    async with provider(script) as base, running(settings(base, policy), tmp_path) as gateway:
        body = {"model": "sandbox-large", "messages": [{"role": "user", "content": "x" * 9999}], "stream": True}
        async with gateway.http.post(f"{gateway.url}/v1/chat/completions", json=body) as answer:
            assert b"begun" in await answer.content.readany()
            (exchange,) = [found for found in gc.get_objects() if type(found) is Exchange]
            assert (len(exchange.request.body) > 9999) is held
            assert (len(exchange.rendered.payload) > 9999) is held
            del exchange
            go_on.set()
            assert (await answer.content.read()).endswith(b"[DONE]\n\n")
        assert [outcome["failure"] for outcome in gateway.frames("outcome")] == [None]
