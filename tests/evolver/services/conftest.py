"""The services in both their forms, as real processes over one home with recordings."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from evolver.services import STAGES
from tests.evolver.support import make_settings, make_world
from tests.evolver.test_cycle import failing_traffic

Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Form:
    """Where each service is; its processes."""

    urls: dict[str, str]
    processes: list[subprocess.Popen[str]]

    def post(self, stage: str, body: Any = None, *, data: bytes | None = None, **headers: str) -> Answer:
        sent = data if data is not None else json.dumps({} if body is None else body).encode()
        return ask(self.urls[stage] + STAGES[stage].path, sent, **headers)

    def document(self, stage: str) -> dict[str, Any]:
        return ask(f"{self.urls[stage]}/openapi.json")[1]


def ask(url: str, data: bytes | None = None, **headers: str) -> Answer:
    request = urllib.request.Request(url, data=data, headers={"content-type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with recorded failures, and beside it a configuration."""
    folder = tmp_path_factory.mktemp("services")
    settings = make_settings(retain_s=None)  # what is recorded is years old by these processes' clocks

    async def fill() -> None:
        async with make_world(folder / "home", settings) as world:
            await failing_traffic(world, 80)

    (folder / "home").mkdir()
    asyncio.run(fill())
    dumped = settings.model_dump(mode="json", exclude_defaults=True)
    (folder / "evogate.yaml").write_text(yaml.safe_dump(dumped), encoding="utf-8")
    return folder / "home"


@contextlib.contextmanager
def started(home: Path, *commands: list[str]) -> Iterator[list[tuple[subprocess.Popen[str], str]]]:
    """Processes side by side, with their addresses."""
    base = [sys.executable, "-m", "evolver", "--home", str(home), "--config", str(home.parent / "evogate.yaml")]
    with contextlib.ExitStack() as stack:
        found = []
        for command in commands:
            process = stack.enter_context(
                subprocess.Popen([*base, "--port", "0", *command], stdout=subprocess.PIPE, text=True)
            )
            stack.callback(process.kill)
            found.append(process)
        yield [(process, _ready(process)) for process in found]


def _ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("ready "), line
    return line.split()[-1]


@pytest.fixture(scope="module", params=["within", pytest.param("alone", marks=pytest.mark.slow)])
def form(home: Path, request: pytest.FixtureRequest) -> Iterator[Form]:
    """All services in the evolver, or each in a process of its own."""
    commands = [["--stage", stage] for stage in STAGES] if request.param == "alone" else [[]]
    with started(home, *commands) as running:
        urls = [url for _, url in running] * (1 if request.param == "alone" else len(STAGES))
        yield Form(dict(zip(STAGES, urls, strict=True)), [process for process, _ in running])


def end(process: subprocess.Popen[str]) -> int:
    os.kill(process.pid, signal.SIGTERM)
    return process.wait(20)
