"""The whole of it in processes and over sockets: harmful, neutral and better candidates each end as they should.

A gateway and an evolver run as a person would start them, in front of a provider that fails by the rules it finds in
the prompt. Candidates enter where shadow and judge have passed them; canary, breaker and promotion are what is shown.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import aiohttp
import orjson
import pytest
import yaml

from policies.genome import Genome, Lineage
from policies.registry import Registry, open_registry
from policies.registry.values import Candidate
from tests.gateway.pipeline.scripted import Visit, completion, provider, whole

POLICY = "assistant"
FAILS = {"Answer kindly.": 0.3, "Answer in riddles.": 0.9, "Answer politely.": 0.3, "Answer at once.": 0.01}
KINDLY, HARMFUL, NEUTRAL, BETTER = FAILS
CLIENTS = 8


@dataclass
class World:
    """The provider, and what the test knows of the processes."""

    home: Path
    rng: Random = field(default_factory=lambda: Random(1))
    down: bool = False
    url: str = ""
    sent: int = 0

    async def answer(self, visit: Visit) -> None:
        rule = next((rule for rule in FAILS if rule.encode() in visit.body), KINDLY)
        if self.down:
            await visit.send(whole(b'{"error":{"message":"down"}}', b"503 Service Unavailable"))
        else:
            cut = self.rng.random() < FAILS[rule]
            await visit.send(whole(completion().replace(b'"stop"', b'"length"' if cut else b'"stop"')))


def configuration(base_url: str) -> dict[str, object]:
    policy = {
        "mode": "auto",
        "genome": {"prompt": {"rubric": KINDLY}, "strategy": {"model_key": "one"}},
        "bandit": {"production_share": 0.5, "ramp": 20},
        "breaker": {"window_s": 60, "deadline_s": 2},
        "promotion": {"fdr": 0.3, "horizon_s": 40, "holdback": 0.05, "min_gain": 0.02},
        "reward": {"weights": {"latency": 0.0, "cost": 0.0}},
        "budgets": {"p95_ms": 60_000, "usd_per_request": 1.0},
    }
    quiet = {"learnings": 1_000_000, "performance": 0.0, "days": 10_000}  # no candidates but the test's own
    return {
        "upstreams": {"provider": {"base_url": base_url}},
        "models": {"one": {"upstream": "provider", "model": "m"}},
        "policies": {POLICY: policy},
        "gateway": {"port": 0, "admin_port": 0, "poll_s": 0.1},
        "evolver": {"port": 0, "poll_s": 0.1, "search": {"usd_per_cycle": 0}, "triggers": quiet},
    }


@contextlib.asynccontextmanager
async def child(home: Path, command: str, config: Path) -> AsyncIterator[None]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("EVOGATE_")} | {"EVOGATE_HOME": str(home)}
    with (home / f"{command}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", command, "--config", str(config)), env=environ, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


@contextlib.asynccontextmanager
async def running(home: Path) -> AsyncIterator[tuple[World, Registry]]:
    world = World(home)
    async with provider(world.answer) as base_url:
        config = home / "evogate.yaml"
        config.write_text(yaml.safe_dump(configuration(base_url)))
        async with child(home, "gateway", config):
            await until(lambda: asyncio.to_thread((home / "gateway.json").exists))
            world.url = orjson.loads((home / "gateway.json").read_bytes())["url"]
            async with child(home, "evolver", config), open_registry(home) as registry:
                yield world, registry


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    """Wait for what other processes do."""
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def traffic(world: World) -> AsyncIterator[None]:
    """Users: each conversation is one question; an answer that failed is theirs to bear."""

    async def user(session: aiohttp.ClientSession) -> None:
        while True:
            world.sent += 1
            body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
            headers = {"x-evogate-session": f"s{world.sent}"}
            url = f"{world.url}/v1/chat/completions"
            async with session.post(url, json=body, headers=headers) as answer:
                await answer.read()

    async with aiohttp.ClientSession() as session:
        users = [asyncio.create_task(user(session)) for _ in range(CLIENTS)]
        try:
            yield
            assert all(not task.done() for task in users), "a user was cut off"
        finally:
            for task in users:
                task.cancel()
            await asyncio.gather(*users, return_exceptions=True)


async def enter(registry: Registry, name: str, rule: str) -> None:
    """A candidate that shadow and judge have passed."""
    pointer = await registry.production(POLICY)
    assert pointer is not None
    genome = Genome.model_validate({"prompt": {"rubric": rule}, "strategy": {"model_key": "one"}})
    now = time.time()
    lineage = Lineage(source="patch")
    assert await registry.add_candidate(
        Candidate(name, POLICY, "prompt", genome, pointer.version, lineage, "judged", now, now)
    )


async def end_of(registry: Registry, name: str) -> Candidate:
    """The candidate once it is neither waiting nor in canary."""

    async def ended() -> bool:
        return (await registry.candidate(name)).state not in {"judged", "canary"}

    await until(ended, 90.0)
    return await registry.candidate(name)


async def drawn(registry: Registry, units: int) -> None:
    """Wait until the running comparison has so many units on each side."""

    async def enough() -> bool:
        running = await registry.experiments(POLICY, running=True)
        rows = [row.data.get("answer", {}) for e in running for row in await registry.totals("evidence", e.id)]
        sums = [sum(int(row[arm][0]) for row in rows if row) for arm in ("production", "challenger")]
        return min(sums) >= units

    await until(enough)


async def outage(world: World, registry: Registry) -> None:
    """The provider fails whatever it is asked, until the gateway has said so; then until that is over."""
    world.down = True

    async def told() -> bool:
        return any(i.kind == "PROVIDER" for i in await registry.incidents(POLICY))

    async def over() -> bool:
        return all(i.resolved_at is not None for i in await registry.incidents(POLICY) if i.kind == "PROVIDER")

    await until(told)
    world.down = False
    await until(over)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_each_candidate_ends_as_it_should_and_an_outage_takes_nothing_back(tmp_path: Path) -> None:
    async with running(tmp_path) as (world, registry), traffic(world):
        await enter(registry, "harmful", HARMFUL)
        harmful = await end_of(registry, "harmful")
        assert harmful.state == "rolled_back"
        assert [stone.content_hash for stone in await registry.tombstones(POLICY)] == [harmful.genome.content_hash]

        async def on_record() -> bool:
            return [i.subject for i in await registry.incidents(POLICY) if i.kind in {"TRIP", "SEVERE"}] == ["harmful"]

        await until(on_record)

        await enter(registry, "neutral", NEUTRAL)
        neutral = await end_of(registry, "neutral")
        assert neutral.state == "inconclusive", neutral.reason
        pointer = await registry.production(POLICY)
        assert pointer is not None
        assert pointer.version == "v1.0", "inconclusive keeps production"

        await enter(registry, "better", BETTER)
        await drawn(registry, 220)
        await outage(world, registry)
        better = await end_of(registry, "better")
        assert better.state in {"promoted", "confirmed"}, (better.reason, better.stations.get("promotion"))
        pointer = await registry.production(POLICY)
        assert pointer is not None
        assert pointer.version == "v1.1"
        incidents = await registry.incidents(POLICY)
        assert [i.subject for i in incidents if i.kind in {"TRIP", "SEVERE", "EJECT"}] == ["harmful"]
        assert {i.kind for i in incidents} <= {"TRIP", "SEVERE", "PROVIDER"}
        verdicts = {e.candidate: e.verdict for e in await registry.experiments(POLICY)}
        assert verdicts == {"harmful": "ROLL BACK", "neutral": "INCONCLUSIVE", "better": "PROMOTE"}


@pytest.mark.slow
@pytest.mark.timeout(200)
async def test_a_providers_outage_during_a_canary_rolls_nothing_back(tmp_path: Path) -> None:
    """An identical candidate: all fail together, and when it is over the comparison goes on."""
    async with running(tmp_path) as (world, registry), traffic(world):
        await enter(registry, "neutral", NEUTRAL)
        await drawn(registry, 260)
        await outage(world, registry)
        assert (await registry.candidate("neutral")).state == "canary"
        found = await end_of(registry, "neutral")
        assert found.state == "inconclusive"
        assert {i.kind for i in await registry.incidents(POLICY)} == {"PROVIDER"}
        assert not await registry.tombstones(POLICY)
