"""The path of a request leaves no cycles: the collector would cost more than the rest of it."""

import gc
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.gateway.pipeline.conftest import Running


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
    gc.collect()
    kinds = (type(each) for each in garbage)
    ours = Counter(kind.__name__ for kind in kinds if kind.__module__.startswith(("gateway.", "policies.")))
    few = {name: count for name, count in ours.items() if count >= 10}
    assert few == {}, "each request leaves one"
