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
from numpy.typing import NDArray

from config.settings import Settings
from gateway.process import Process
from gateway.recording.reader import read_frames
from gateway.sandbox.app import running_sandbox
from gateway.sandbox.rules import Family
from gateway.sandbox.tasks import Task, tasks
from gateway.sandbox.worlds import World

JSON = dict[str, Any]
RULES = "Think step by step. End with the number alone. Answer with JSON that has exactly the fields asked for."
FAULTS = [[0, 1e9, "*", "invalid_output", 0.1]]  # of every model's answers, one in ten is cut


@dataclass(frozen=True)
class Pair:
    """A strategy, and what it is held against. `about`: for readers."""

    name: str
    about: str
    strategy: JSON
    against: JSON
    mix: dict[Family, float]
    faults: list[list[Any]] = field(default_factory=list)


LARGE, SMALL = {"model_key": "large", "temperature": 0.7}, {"model_key": "small", "temperature": 1.0}
PAIRS = (
    Pair(
        "repairs: ask, none",
        "extraction and tools, small model, 10 % of answers cut",
        SMALL | {"repairs": "ask"},
        SMALL,
        {"extraction": 1.0, "tools": 1.0},
        FAULTS,
    ),
    Pair(
        "consensus of 5 small voters, one",
        "classification, arithmetic and extraction, 10 % of answers cut",
        SMALL | {"use_consensus": True, "voters": 5},
        SMALL,
        {"classification": 1.0, "arithmetic": 1.0, "extraction": 1.0},
        FAULTS,
    ),
    Pair(
        "cascade small to large (two that agree), large",
        "classification and extraction",
        LARGE | {"cascade_model": "small", "cascade_verifier": "agreement", "cascade_samples": 1},
        LARGE,
        {"classification": 1.0, "extraction": 1.0},
    ),
)


class Served(NamedTuple):
    """One strategy's outcomes, by task."""

    right: NDArray[np.float64]
    valid: NDArray[np.float64]
    usd: NDArray[np.float64]
    ms: NDArray[np.float64]


class Compared(NamedTuple):
    """Both means and the paired difference, as text."""

    right: str
    valid: str
    usd: str
    ms: str


async def compare(pair: Pair, seed: int, count: int) -> Compared:
    """Serve the same tasks both ways."""
    world = World(seed)
    asked = list(islice(tasks(Random(seed), world, pair.mix), count))
    first = await serve(pair.strategy, asked, seed, pair.faults)
    second = await serve(pair.against, asked, seed, pair.faults)
    return Compared(
        _difference(first.right, second.right),
        _difference(first.valid, second.valid),
        _difference(1000 * first.usd, 1000 * second.usd),
        f"{np.median(first.ms):.0f} / {np.median(second.ms):.0f}",
    )


async def serve(strategy: JSON, asked: list[Task], seed: int, faults: list[list[Any]]) -> Served:
    """Every task once, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        async with running_sandbox(seed, delay_scale=0.2, failure_scale=1.0, faults=faults) as url:
            process = Process(None, _settings(url, strategy), Path(folder))
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


def _settings(url: str, strategy: JSON) -> Settings:
    prices = {"large": (2.0, 8.0), "small": (0.1, 0.4)}
    models = {
        key: {"upstream": "sandbox", "model": f"sandbox-{key}", "usd_per_mtok": {"input": i, "output": o}}
        for key, (i, o) in prices.items()
    }
    policy = {"genome": {"prompt": {"rubric": RULES}, "strategy": strategy}, "unit": "request"}
    return Settings.model_validate({
        "upstreams": {"sandbox": {"base_url": url}},
        "models": models,
        "policies": {"assistant": policy},
        "gateway": {"port": 0, "admin_port": 0},
    })  # fmt: skip


def _difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> str:
    """`a / b, d (low to high)`: a paired normal interval."""
    gap = first - second
    reach = 1.96 * float(gap.std(ddof=1)) / np.sqrt(len(gap))
    mean = float(gap.mean())
    return f"{first.mean():.3f} / {second.mean():.3f}, {mean:+.3f} ({mean - reach:+.3f} to {mean + reach:+.3f})"
