"""`evogate gateway --workers N` as processes: what it refuses, how it ends, and what is left when it is killed."""

import asyncio
import os
import signal
from pathlib import Path

import aiohttp
import orjson

from tests.gateway.test_process import process, ready

CONFIG = "gateway: {admin_port: 0, port: 0}\nupstreams: {u: {base_url: 'http://127.0.0.1:9'}}\npolicies: {a: {}}\n"


async def test_a_port_in_use_is_one_line(tmp_path: Path, unused_tcp_port: int) -> None:
    config = tmp_path / "evogate.yaml"
    config.write_text(CONFIG)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", unused_tcp_port)
    more = ("--port", str(unused_tcp_port), "--workers", "2")
    async with server, process(config, tmp_path / "home", *more) as child:
        _, errors = await asyncio.wait_for(child.communicate(), 30)
    assert child.returncode == 2
    assert f"can't listen on 127.0.0.1:{unused_tcp_port}" in errors.decode()
    assert "Traceback" not in errors.decode()


async def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    config, home = tmp_path / "evogate.yaml", tmp_path / "home"
    config.write_text(CONFIG)
    async with process(config, home, "--workers", "2") as child:
        url = await ready(child)
        async with aiohttp.ClientSession() as session:
            facts = orjson.loads((home / "gateway.json").read_bytes())
            async with session.get(f"{facts['admin']}/admin/status") as answer:
                pids = [worker["pid"] for worker in (await answer.json())["workers"]]
            async with session.get(f"{url}/ready") as answer:
                assert answer.status == 200
        assert len(set(pids)) == 2
        child.kill()
        async with asyncio.timeout(20):
            while any(_lives(pid) for pid in pids):  # noqa: ASYNC110  (they are no children of ours)
                await asyncio.sleep(0.02)
    async with process(config, home, "--workers", "2", "--port", url.rpartition(":")[2]) as child:
        assert await ready(child) == url
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 20) == 0


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
