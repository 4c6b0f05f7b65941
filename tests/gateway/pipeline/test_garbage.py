"""The path of a request leaves no cycles: the collector would cost more than the rest of it."""

import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from gateway.pipeline.admission import Waiter
from tests.gateway.pipeline.conftest import Running, running, settings


@pytest.fixture
def garbage() -> Iterator[list[object]]:
    """What the collector finds from here on, kept for a look."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("headers", [{}, {"x-evogate-bypass": "1"}], ids=["covered", "relayed"])
async def test_requests_leave_no_cycles(
    gateway: Running, garbage: list[object], stream: bool, headers: dict[str, str]
) -> None:
    body = {"model": "sandbox-large", "messages": [{"role": "user", "content": "hello"}], "stream": stream}
    for _ in range(20):
        async with gateway.http.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers) as answer:
            assert answer.status == 200
            await answer.read()
    assert left_of(garbage) == {}, "each request leaves one"


async def test_lists_of_models_leave_none(gateway: Running, garbage: list[object]) -> None:
    for _ in range(20):
        async with gateway.http.get(f"{gateway.url}/v1/models") as answer:
            assert answer.status == 200
            await answer.read()
    assert left_of(garbage) == {}


async def test_calls_that_a_limit_refuses_leave_none(tmp_path: Path, garbage: list[object]) -> None:
    base = "http://127.0.0.1:9"
    full = {"sandbox": {"base_url": base, "max_concurrency": 1, "queue": 0}}
    async with running(settings(base, upstreams=full), tmp_path) as gateway:
        admission = gateway.worker.routes.all["sandbox"].admission
        assert admission.admit(0.0, cast("Waiter", None)) is not None
        for path in 20 * ["models", "embeddings"]:
            async with gateway.http.get(f"{gateway.url}/v1/{path}") as answer:
                assert answer.status == 503
                await answer.read()
        assert left_of(garbage) == {}


def left_of(garbage: list[object]) -> dict[str, int]:
    """Our own kinds of which the collector finds as many as there were requests, about."""
    gc.collect()
    kinds = (type(each) for each in garbage)
    ours = Counter(kind.__name__ for kind in kinds if kind.__module__.startswith(("gateway.", "policies.")))
    return {name: count for name, count in ours.items() if count >= 10}
