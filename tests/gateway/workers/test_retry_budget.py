"""A policy's retry budget is that of the whole gateway, however many workers serve."""

import asyncio
from pathlib import Path

from tests.gateway.pipeline.scripted import Visit, provider, whole
from tests.gateway.workers.conftest import several

PATIENT = {"consecutive": 10_000, "min_requests": 10_000}  # the circuit stays closed
BURST, REQUESTS = 8, 60


async def test_workers_share_what_a_policy_may_spend_on_retries(tmp_path: Path) -> None:
    visits = 0

    async def script(visit: Visit) -> None:
        nonlocal visits
        visits += 1
        await visit.send(whole(b"{}", b"500 No", extra=b"retry-after-ms: 1\r\n"))

    budget = {"ratio": 0.0, "per_s": 0.0, "burst": BURST}
    policy = {"resilience": {"retries": 2, "retry_budget": budget}}
    async with provider(script) as base:
        async with several(base, tmp_path, upstream={"health": PATIENT}, policy=policy) as gateway:
            answers = await asyncio.gather(*(gateway.ask(str(n)) for n in range(REQUESTS)))
            assert {status for status, _, _ in answers} == {500}
            numbers = await gateway.numbers()
        served = {frame["writer"] for frame in gateway.frames("assignment")}
    assert served == {"w0", "w1"}
    assert visits == REQUESTS + BURST, "each of two workers has half of the budget, and spends it"
    assert sum(count for name, count in numbers.items() if name.startswith("evogate_more_attempts_total")) == BURST
