"""The gateway as a process: ready line, hot reload from the file, drain at SIGTERM, errors in one line."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import orjson
import pytest

from tests.gateway.pipeline.scripted import Visit, completion, provider, whole

CONFIG = """
upstreams: {{sandbox: {{base_url: "{base}"}}}}
policies: {{assistant: {{genome: {{prompt: {{rubric: "{rubric}"}}}}}}}}
gateway: {{port: 0, admin_port: 0}}
"""


@contextlib.asynccontextmanager
async def process(config: Path, home: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    command = ("-m", "gateway", "gateway", "--config", str(config), "--home", str(home), *arguments)
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=pipe, stderr=pipe, env=os.environ)
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def ready(child: asyncio.subprocess.Process) -> str:
    assert child.stdout is not None
    line = (await asyncio.wait_for(child.stdout.readline(), 30)).decode()
    assert line.startswith("ready http://"), line
    return line.removeprefix("ready ").strip()


async def test_it_serves_reloads_and_drains(tmp_path: Path) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def script(visit: Visit) -> None:
        if b"wait" in visit.body:
            asked.set()
            await go.wait()
        await visit.send(whole(completion(visit.body.decode())))

    config, home = tmp_path / "evogate.yaml", tmp_path / "home"
    body = {"model": "m", "messages": [{"role": "user", "content": "wait"}]}
    async with provider(script) as base:
        config.write_text(CONFIG.format(base=base, rubric="Be kind."))
        async with process(config, home) as child, aiohttp.ClientSession() as session:
            url = await ready(child)
            facts = orjson.loads((home / "gateway.json").read_bytes())
            assert facts["url"] == url
            assert (home / "secret").stat().st_mode & 0o777 == 0o600

            config.write_text(CONFIG.format(base=base, rubric="Be brief, please."))
            async with session.post(f"{facts['admin']}/admin/reload") as answer:
                assert answer.status == 200

            running = asyncio.create_task(session.post(f"{url}/v1/chat/completions", json=body))
            await asyncio.wait_for(asked.wait(), 10)
            child.send_signal(signal.SIGTERM)
            assert child.stderr is not None
            while b"draining" not in await child.stderr.readline():
                pass
            go.set()
            async with await running as answer:
                assert answer.status == 200
                assert "Be brief, please." in (await answer.json())["choices"][0]["message"]["content"]
            await asyncio.wait_for(child.wait(), 10)
            assert child.returncode == 0


async def test_a_port_in_use_is_one_line(tmp_path: Path, unused_tcp_port: int) -> None:
    config = tmp_path / "evogate.yaml"
    config.write_text("gateway: {admin_port: 0}\n")
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", unused_tcp_port)
    async with server, process(config, tmp_path / "home", "--port", str(unused_tcp_port)) as child:
        _, errors = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode == 2
    assert f"can't listen on 127.0.0.1:{unused_tcp_port}" in errors.decode()
    assert len(errors.decode().splitlines()) == 1, "that, and nothing that would hide it"
    assert "Traceback" not in errors.decode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_an_unwritable_home_is_one_line(tmp_path: Path) -> None:
    config, home = tmp_path / "evogate.yaml", tmp_path / "home"
    config.write_text("{}\n")
    home.mkdir(mode=0o500)
    async with process(config, home) as child:
        _, errors = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode == 2
    assert str(home) in errors.decode()
