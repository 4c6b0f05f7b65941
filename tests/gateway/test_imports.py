"""What a gateway loads: a feature that nobody has switched on takes none of its memory and none of its start."""

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tests.gateway.pipeline.scripted import Visit, completion, provider, whole
from tests.gateway.test_process import ready

IMPORTED = re.compile(r"^import time:\s+\d+ \|\s+\d+ \|\s*([\w.]+)\s*$", re.MULTILINE)
NEEDLESS = {
    "numpy": "draws, routers, memories and intents, of policies that have them",
    "aiohttp": "the sandbox, the evolver and their clients",
    "rich": "tables on a screen",
    "jsonschema_rs": "answers to requests that demand a schema",
    "psycopg": "a registry in PostgreSQL",
    "opentelemetry": "telemetry with an endpoint",
    "sklearn": "the evolver",
    "json_repair": "repairs",
    "evolver": "its own process",
    "gateway.sandbox": "its own process",
    "gateway.demo": "its own process",
}


def config(base: str, model_key: str) -> dict[str, Any]:
    """One policy on one model."""
    return {
        "gateway": {"admin_port": 0, "port": 0},
        "upstreams": {"one": {"base_url": base}},
        "models": {"large": {"upstream": "one", "model": "m", "usd_per_mtok": {"input": 1.0, "output": 2.0}}},
        "policies": {"assistant": {"match": {"model": "*"}, "genome": {"strategy": {"model_key": model_key}}}},
    }


@contextlib.asynccontextmanager
async def watched(tmp_path: Path, values: dict[str, Any], workers: int) -> AsyncIterator[tuple[str, Path]]:
    """A gateway that writes down what it imports: (its address, the file), which is whole afterwards."""
    home, imports, file = tmp_path / "home", tmp_path / "imports", tmp_path / "evogate.yaml"
    file.write_bytes(orjson.dumps(values))
    command = ("-X", "importtime", "-m", "gateway", "gateway", "--config", str(file), "--home", str(home))
    with imports.open("wb") as errors:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, *command, "--workers", str(workers)), stdout=asyncio.subprocess.PIPE, stderr=errors
        )
    try:
        yield await ready(child), imports
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 30) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()


async def served(tmp_path: Path, model_key: str, workers: int) -> set[str]:
    """What a gateway has imported that has served a request, its numbers and its status."""

    async def script(visit: Visit) -> None:
        await visit.send(whole(completion("yes")))

    async with provider(script) as base, aiohttp.ClientSession() as session:
        async with watched(tmp_path, config(base, model_key), workers) as (url, imports):
            body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
            async with session.post(f"{url}/v1/chat/completions", json=body) as answer:
                assert (answer.status, answer.headers["x-evogate-version"]) == (200, "v1.0")
            admin = orjson.loads((tmp_path / "home" / "gateway.json").read_bytes())["admin"]
            for page in ("metrics", "admin/status"):
                async with session.get(f"{admin}/{page}") as answer:
                    assert answer.status == 200
        return set(IMPORTED.findall(imports.read_text()))


def needless(imported: set[str]) -> set[str]:
    return {name for name in NEEDLESS if any(each == name or each.startswith(f"{name}.") for each in imported)}


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_plain_gateway_loads_nothing_that_it_has_no_use_for(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # for the workers, whose command line is their parent's
    imported = await served(tmp_path, "large", workers)
    assert {"gateway.pipeline.worker", "pydantic"} <= imported, "the list is one"
    assert not needless(imported)


async def test_a_router_loads_what_it_computes_with(tmp_path: Path) -> None:
    assert needless(await served(tmp_path, "auto", 1)) == {"numpy"}
