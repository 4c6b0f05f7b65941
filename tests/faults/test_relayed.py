"""Where no policy covers a request its bytes are the provider's; an end that was none is visible all the same."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.faults import wire
from tests.faults.catalogue import ALL, Fault, Shape
from tests.faults.clients import on_the_wire
from tests.faults.conftest import alone
from tests.faults.upstream import Act

BYPASS = {"x-evogate-bypass": "1"}
# What HTTP can tell. An unreadable body and a missing [DONE] are the client's to find: nobody reads these answers here.
BELOW = ["S01", "S04", "S05", "S06", "S08", "S09", "S12", "S14", "P01", "P05", "P06", "P07", "P13"]
WITHIN_AN_EVENT = {"P01", "P13"}  # there is no place for an error event, so the connection itself tells
CASES = [
    pytest.param(fault, shape, id=f"{fault.id}-{shape}") for fault in ALL for shape in fault.alone if fault.id in BELOW
]


@pytest.mark.parametrize(("fault", "shape"), CASES)
async def test_a_cut_is_visible(fault: Fault, shape: Shape, tmp_path: Path) -> None:
    told = fault.alone[shape]
    async with alone(fault, shape, tmp_path) as (_, gateway):
        async with aiohttp.ClientSession(headers=BYPASS) as session:
            if told.failure == "cut_short" and (shape == "whole" or fault.id in WITHIN_AN_EVENT):
                with pytest.raises(aiohttp.ClientError):
                    await on_the_wire(session, gateway.url, shape)
            else:
                got = await on_the_wire(session, gateway.url, shape)
                assert (got.status, got.code, got.whole) == (told.status, told.code, False)
        assert gateway.frames() == []


async def test_an_old_client_sees_a_reset(tmp_path: Path) -> None:
    """HTTP/1.0 knows no chunks: the end of the connection is the end of the answer, unless it is a reset."""
    chunked = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    fault = Fault("cut", "cut in a chunked body", (), ((chunked, wire.chunk(b"half"), Act.CLOSE),), {})
    async with alone(fault, "whole", tmp_path) as (_, gateway):
        host, port = gateway.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /v1/files/f/content HTTP/1.0\r\nHost: x\r\n\r\n")
        try:
            with pytest.raises(ConnectionResetError):
                await reader.read()
        finally:
            writer.close()
