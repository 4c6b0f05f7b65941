"""Two strategies on the same tasks, through a real gateway with the sandbox behind it."""

import logging
import tempfile
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import aiohttp
import numpy as np
import orjson
from numpy.typing import NDArray

from config.settings import Settings
from gateway.process import Process
from gateway.recording.reader import read_frames
from gateway.sandbox.app import running_sandbox
from gateway.sandbox.rules import Family
from gateway.sandbox.tasks import Task, tasks
from gateway.sandbox.worlds import World

JSON = dict[str, Any]
STATED = [
    "When classifying a message, reply with only the lower-case category label.",
    "Answer with JSON that has exactly the fields asked for, dates as YYYY-MM-DD, and nothing around it.",
]
GROUNDED = "Answer from the reference material alone, and say the value with its unit."
RULES = "Think step by step. End with the number alone. Answer with JSON that has exactly the fields asked for."
FAULTS = [[0, 1e9, "*", "invalid_output", 0.1]]  # of every model's answers, one in ten is cut


@dataclass(frozen=True)
class Pair:
    """Genes, by layer, and what they are held against. `about`: for readers; `rules`: the prompt of both."""

    name: str
    about: str
    genes: JSON
    against: JSON
    mix: dict[Family, float]
    faults: list[list[Any]] = field(default_factory=list)
    rules: str | list[str] = RULES


LARGE, SMALL = {"model_key": "large", "temperature": 0.7}, {"model_key": "small", "temperature": 1.0}
CASCADE = {  # set on seed 101, which is not reported
    "cascade_model": "small", "cascade_verifier": "agreement", "cascade_samples": 2, "cascade_threshold": 1.0,
}  # fmt: skip
PAIRS = (
    Pair(
        "memory of 5 entries, none",
        "product questions, a third of them without reference material",
        {"strategy": LARGE, "memory": {"retriever_topk": 5}},
        {"strategy": LARGE},
        {"knowledge": 1.0},
        rules=GROUNDED,
    ),
    Pair(
        "repairs: ask, none",
        "extraction and tools, small model, 10 % of answers cut",
        {"strategy": SMALL | {"repairs": "ask"}},
        {"strategy": SMALL},
        {"extraction": 1.0, "tools": 1.0},
        FAULTS,
    ),
    Pair(
        "consensus of 5 small voters, one",
        "classification, arithmetic and extraction, 10 % of answers cut",
        {"strategy": SMALL | {"use_consensus": True, "voters": 5}},
        {"strategy": SMALL},
        {"classification": 1.0, "arithmetic": 1.0, "extraction": 1.0},
        FAULTS,
    ),
    Pair(
        "cascade small to large (two that agree), large",
        "classification and extraction, a prompt that leaves the form open",
        {"strategy": LARGE | {"cascade_model": "small", "cascade_verifier": "agreement", "cascade_samples": 1}},
        {"strategy": LARGE},
        {"classification": 1.0, "extraction": 1.0},
    ),
    Pair(
        "cascade small to large (three that agree), large",
        "classification and extraction, a prompt that states the form",
        {"strategy": LARGE | CASCADE},
        {"strategy": LARGE},
        {"classification": 1.0, "extraction": 1.0},
        rules=STATED,
    ),
)


class Served(NamedTuple):
    """One strategy's outcomes, by task."""

    right: NDArray[np.float64]
    valid: NDArray[np.float64]
    usd: NDArray[np.float64]
    ms: NDArray[np.float64]


class Difference(NamedTuple):
    """Both means, and the mean of the paired difference with its 95 % interval."""

    first: float
    second: float
    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        gap = f"{self.mean:+.3f} ({self.low:+.3f} to {self.high:+.3f})"
        return f"{self.first:.3f} / {self.second:.3f}, {gap}"


class Compared(NamedTuple):
    """Right and valid answers as shares, US dollars for 1,000 requests, and the median milliseconds of both."""

    right: Difference
    valid: Difference
    usd: Difference
    ms: tuple[float, float]


async def compare(pair: Pair, seed: int, count: int) -> Compared:
    """Serve the same tasks both ways."""
    world = World(seed)
    asked = list(islice(tasks(Random(seed), world, pair.mix), count))
    first = await serve(pair, pair.genes, asked, world)
    second = await serve(pair, pair.against, asked, world)
    return Compared(
        _difference(first.right, second.right),
        _difference(first.valid, second.valid),
        _difference(1000 * first.usd, 1000 * second.usd),
        (float(np.median(first.ms)), float(np.median(second.ms))),
    )


async def serve(pair: Pair, genes: JSON, asked: list[Task], world: World) -> Served:
    """Every task once, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        async with running_sandbox(world.seed, delay_scale=0.2, failure_scale=1.0, faults=pair.faults) as url:
            file = _remembered(world, Path(folder))
            process = Process(None, _settings(url, {"prompt": {"rubric": pair.rules}, **genes}, file), Path(folder))
            async with process.serving() as gateway, aiohttp.ClientSession() as session:
                logging.getLogger("evogate").setLevel("ERROR")  # faults are ordered here
                right = [await _ask(session, gateway, task) for task in asked]
        frames = [frame for _, frame in read_frames(Path(folder) / "spool" / "w0") if frame["t"] == "outcome"]
    good = [frame["status"] == 200 and all(value >= 1.0 for value in frame["validators"].values()) for frame in frames]
    return Served(
        np.array(right),
        np.array(good, dtype=float),
        np.array([frame["cost_usd"] for frame in frames]),
        np.array([frame["last_byte_ms"] for frame in frames]),
    )


async def _ask(session: aiohttp.ClientSession, gateway: str, task: Task) -> float:
    async with session.post(f"{gateway}/v1/chat/completions", json=task.body("assistant")) as answer:
        body = await answer.json()
        if answer.status != 200:
            return 0.0
        message = body["choices"][0]["message"]
        return task.check(message.get("content"), message.get("tool_calls"))


def _remembered(world: World, folder: Path) -> Path:
    """What an application's memory would hold: every fact of this world."""
    file = folder / "memory.jsonl"
    rows = [{"id": f"{fact.subject}-{fact.attribute.name}", "text": fact.text} for fact in world.facts]
    file.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return file


def _settings(url: str, genome: JSON, memory: Path) -> Settings:
    prices = {"large": (2.0, 8.0), "small": (0.1, 0.4)}
    models = {
        key: {"upstream": "sandbox", "model": f"sandbox-{key}", "usd_per_mtok": {"input": i, "output": o}}
        for key, (i, o) in prices.items()
    }
    policy = {"genome": genome, "unit": "request", "memory_file": str(memory), "memory_holdout": 0.0}
    return Settings.model_validate({
        "upstreams": {"sandbox": {"base_url": url}},
        "models": models,
        "policies": {"assistant": policy},
        "gateway": {"port": 0, "admin_port": 0},
    })  # fmt: skip


def _difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> Difference:
    """A paired normal interval."""
    gap = first - second
    mean, reach = float(gap.mean()), 1.96 * float(gap.std(ddof=1)) / len(gap) ** 0.5
    return Difference(float(first.mean()), float(second.mean()), mean, mean - reach, mean + reach)
