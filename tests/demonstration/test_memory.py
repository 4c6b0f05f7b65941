"""Memory from end to end, through real processes: learnt from traffic, proposed by a cycle, served, and taken back.

A provider, a gateway and an evolver of their own answer product questions, a third of which nothing in the request
answers. What the evolver learns from the others is put into production; the same fresh questions are asked before and
after, and once more after the memory layer alone was restored.
"""

import asyncio
import contextlib
import json
import logging
import math
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from gateway.sandbox.tasks import Task, draw_task
from gateway.sandbox.worlds import World
from policies.genome import Genome, Lineage, PromptLayer, StrategyLayer
from policies.registry import open_registry
from policies.registry.operations import production_of

log = logging.getLogger("evogate.demonstration")

SEED = 5
TAUGHT, ASKED = 600, 600
LIFT = 0.08  # at the interval's lower end; measured: 0.19 in the middle
AT_A_TIME = 16
Z95 = 1.96
CONFIG = """
upstreams: {{sandbox: {{base_url: "{base}"}}}}
models: {{large: {{upstream: sandbox, model: sandbox-large, usd_per_mtok: {{input: 2.0, output: 8.0}}}}}}
policies:
  assistant:
    mode: approve
    genome: {{prompt: {{rubric: "You are a helpful assistant."}}, strategy: {{model_key: large, temperature: 0.3}}}}
    budgets: {{p95_ms: 5000, usd_per_request: 0.02}}
gateway: {{port: 0, admin_port: 0, poll_s: 0.1}}
evolver: {{search: {{num_generations: 1, usd_per_cycle: 0.5, calls_per_cycle: 200}}}}
"""
RULES = PromptLayer.model_validate({"rubric": ["You are a helpful assistant.", "Say the value with its unit."]})


@contextlib.asynccontextmanager
async def serving(*arguments: str) -> AsyncIterator[str]:
    """`evogate` with these arguments, and the URL at which it is ready."""
    pipe, quiet = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    command = (sys.executable, "-m", "gateway", *arguments)
    child = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=quiet, env=clean())
    try:
        assert child.stdout is not None
        line = (await asyncio.wait_for(child.stdout.readline(), 60)).decode()
        assert line.startswith("ready "), line
        yield line.split()[1]
    finally:
        if child.returncode is None:
            child.terminate()
        await child.communicate()


async def evogate(*arguments: str) -> str:
    """What a command says."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "gateway", *arguments)
    child = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=clean())
    said, errors = await child.communicate()
    assert child.returncode == 0, errors.decode()
    return said.decode()


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("EVOGATE_")}


@dataclass
class Application:
    """Asks the gateway, each question in a conversation of its own, and rates the answers by its own check."""

    session: aiohttp.ClientSession
    url: str
    numbers: "count[int]"

    async def ask(self, tasks: list[Task], *, rate: bool) -> tuple[list[float], set[str]]:
        """The score of each answer, and the versions that gave them."""
        slots = asyncio.Semaphore(AT_A_TIME)
        found = await asyncio.gather(*(self._one(task, slots, rate=rate) for task in tasks))
        return [score for score, _ in found], {version for _, version in found}

    async def _one(self, task: Task, slots: asyncio.Semaphore, *, rate: bool) -> tuple[float, str]:
        headers = {"x-evogate-session": f"c{next(self.numbers)}"}
        async with (
            slots,
            self.session.post(
                f"{self.url}/v1/chat/completions", json=task.body("assistant"), headers=headers
            ) as answer,
        ):
            said = await answer.json()
            assert answer.status == 200, said
        score = task.check(said["choices"][0]["message"]["content"])
        if rate:
            word = {"request_id": answer.headers["x-evogate-request-id"], "score": score}
            async with self.session.post(f"{self.url}/v1/feedback", json=word) as heard:
                assert heard.status == 202
        return score, answer.headers["x-evogate-version"]

    async def until_served(self, label: str) -> None:
        """For a poll and what it takes."""
        deadline = time.monotonic() + 20.0
        probe = questions(99, 1)
        while (await self.ask(probe, rate=False))[1] != {label}:
            assert time.monotonic() < deadline, f"{label} is not in force"


def questions(seed: int, number: int) -> list[Task]:
    world, rng = World(SEED), Random(seed)
    return [draw_task(rng, world, "knowledge") for _ in range(number)]


def paired(before: list[float], after: list[float]) -> tuple[float, float, float]:
    """Mean difference on the same questions with its 95 % interval."""
    differences = [late - early for early, late in zip(before, after, strict=True)]
    mean = statistics.fmean(differences)
    half = Z95 * statistics.stdev(differences) / math.sqrt(len(differences))
    return mean, mean - half, mean + half


async def change_the_others(home: Path) -> str:
    """A version with another prompt and strategy on top of production; its label."""
    async with open_registry(home) as registry:
        production, pointer = await production_of(registry, "assistant")
        strategy = StrategyLayer(model_key="large", temperature=0.1)
        genome = production.genome.model_copy(update={"prompt": RULES, "strategy": strategy})
        lineage, who = Lineage(source="operator"), {"who": "test", "why": "both others", "now": time.time()}
        made = await registry.add_version("assistant", genome, lineage, **who)  # type: ignore[arg-type]
        await registry.move("assistant", made.label, expected_revision=pointer.revision, **who)  # type: ignore[arg-type]
        return made.label


async def production(home: Path) -> Genome:
    async with open_registry(home) as registry:
        return (await production_of(registry, "assistant"))[0].genome


async def candidate_of_memory(home: Path) -> dict[str, Any]:
    async with open_registry(home) as registry:
        live = await registry.candidates("assistant", live=True)
    (found,) = [one for one in live if one.layer == "memory"]
    return {"id": found.id, "state": found.state, "gates": found.stations["gates"]}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_learnt_memory_lifts_answers_and_its_layer_comes_back_alone(tmp_path: Path) -> None:
    config, home = tmp_path / "evogate.yaml", tmp_path / "home"
    at, fresh = ("--config", str(config), "--home", str(home)), questions(2, ASKED)
    async with contextlib.AsyncExitStack() as stack:
        base = await stack.enter_async_context(
            serving("sandbox", "--port", "0", "--seed", str(SEED), "--delay-scale", "0")
        )
        config.write_text(CONFIG.format(base=base))
        url = await stack.enter_async_context(serving("gateway", *at))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        application = Application(session, url, count())
        await application.ask(questions(1, TAUGHT), rate=True)
        before, versions = await application.ask(fresh, rate=False)
        assert versions == {"v1.0"}

        await evogate("evolver", "--once", *at)
        candidate = await candidate_of_memory(home)
        assert all(gate["passed"] for gate in candidate["gates"].values())
        assert {"memory", "regression"} <= candidate["gates"].keys()
        await evogate("promote", candidate["id"], "--home", str(home), "--why", "test")
        await application.until_served("v1.1")
        after, versions = await application.ask(fresh, rate=False)
        assert versions == {"v1.1"}
        gain, low, high = paired(before, after)
        figures = (
            f"{statistics.fmean(before):.3f} -> {statistics.fmean(after):.3f}, {gain:+.3f} ({low:+.3f} to {high:+.3f})"
        )
        log.info("quality without and with memory, paired difference with its 95 %% interval: %s", figures)
        assert low > LIFT, figures

        label = await change_the_others(home)
        await application.until_served(label)
        restored = json.loads(await evogate("rollback", "v1.0", "--layer", "memory", "--home", str(home), "--json"))
        await application.until_served(restored["version"])
        genome = await production(home)
        assert (genome.prompt, genome.strategy.temperature) == (RULES, 0.1)
        assert not genome.memory.recalls
        back, _ = await application.ask(fresh, rate=False)
        assert paired(back, after)[1] > LIFT  # what it had brought is gone with it

        again = json.loads(await evogate("rollback", "v1.1", "--layer", "memory", "--home", str(home), "--json"))
        await application.until_served(again["version"])
        genome = await production(home)
        assert genome.memory.recalls
        assert (genome.prompt, genome.strategy.temperature) == (RULES, 0.1)
        once_more, _ = await application.ask(fresh, rate=False)
        assert paired(back, once_more)[1] > LIFT
