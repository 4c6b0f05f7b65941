"""The provider as a process: ready line, traffic, SIGTERM, a taken port."""

import asyncio
import signal
import socket
import sys

import pytest
from openai import AsyncOpenAI

from gateway.sandbox.app import serve
from policies.errors import OperatorError

CODE = "from gateway.sandbox.app import run; run('127.0.0.1', 0, seed=2, delay_scale=0.0)"


async def test_ready_line_then_traffic_then_sigterm() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CODE, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        assert line.startswith("ready http://127.0.0.1:")
        async with AsyncOpenAI(base_url=line.split()[1], api_key="sk", max_retries=0) as client:
            assert (await client.models.list()).data
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_taken_port_is_the_operators_to_solve() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OperatorError, match="--port"):
            await serve("127.0.0.1", taken.getsockname()[1])
