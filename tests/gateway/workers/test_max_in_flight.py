"""The gene `max_in_flight` is that of the whole gateway, however many workers serve."""

import asyncio
from pathlib import Path

from tests.gateway.pipeline.scripted import Visit, completion, provider, whole
from tests.gateway.workers.conftest import several

LIMIT, REQUESTS = 4, 40  # one of two workers gets fewer than two of them in one run of 10^10


async def test_workers_share_what_a_genome_lets_be_in_flight(tmp_path: Path) -> None:
    go = asyncio.Event()
    visits = 0

    async def script(visit: Visit) -> None:
        nonlocal visits
        visits += 1
        await go.wait()
        await visit.send(whole(completion()))

    policy = {"genome": {"strategy": {"model_key": "large", "max_in_flight": LIMIT}}}
    async with provider(script) as base, several(base, tmp_path, upstream={"queue": 0}, policy=policy) as gateway:
        asked = [asyncio.create_task(gateway.ask(str(n))) for n in range(REQUESTS)]
        await gateway.until(lambda: visits + sum(task.done() for task in asked) == REQUESTS)
        assert visits == LIMIT, "each of two workers has half of the limit"
        go.set()
        answers = await asyncio.gather(*asked)
    refused = [headers["x-evogate-error"] for status, headers, _ in answers if status == 503]
    assert refused == ["channel_full"] * (REQUESTS - LIMIT)
