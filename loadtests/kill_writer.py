"""The process that `loadtests.kill` kills: records an assignment and an outcome for each request, then answers it.

`python -m loadtests.kill_writer FOLDER LEVEL` prints `ready PORT`; a request is a line `ID`, so is its answer.
"""

import asyncio
import sys
from pathlib import Path
from typing import cast

import orjson
import uvloop

from gateway.recording import DurableCommit, GroupCommit, Keep, SpoolError, SpoolWriter, Upkeep
from gateway.recording.pace import Pace

SEGMENT_BYTES = 64 << 10  # a rotation and a compression every few milliseconds


class Requests(asyncio.Protocol):
    """One client's connection: an answer goes out once the outcome is recorded."""

    def __init__(self, commit: GroupCommit) -> None:
        self._commit = commit
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are, without inheriting from it

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._begin(line)

    def _begin(self, request: bytes) -> None:
        frame = orjson.dumps({"t": "assignment", "id": request.decode(), "body": "x" * (len(request) * 37 % 900)})
        self._commit.append(frame, lambda: self._end(request), durable=False)

    def _end(self, request: bytes) -> None:
        frame = orjson.dumps({"t": "outcome", "id": request.decode(), "status": 200})
        self._commit.append(frame, lambda: self._transport.write(request + b"\n"))


async def serve(directory: Path, level: str) -> None:
    """Until somebody kills it."""
    loop = asyncio.get_running_loop()
    power_safe = level == "power_safe"
    writer = SpoolWriter(directory, segment_bytes=SEGMENT_BYTES, durable=power_safe)
    commit = (DurableCommit if power_safe else GroupCommit)(writer, loop, _report)
    upkeep = loop.create_task(Upkeep(directory, Keep(), pace=Pace(used=lambda: 0.0)).run(every_s=0.005))
    server = await loop.create_server(lambda: Requests(commit), "127.0.0.1", 0)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await upkeep


def _report(error: SpoolError) -> None:
    print(error, file=sys.stderr)


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), sys.argv[2]))
