"""What is measured, and the requests that are sent to it."""

import contextlib
import itertools
import json
import re
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from loadtests.bench.machine import free_port
from loadtests.bench.processes import await_from, process
from loadtests.generator.arrivals import MARK
from loadtests.generator.connection import HOST

DIRECT, NGINX, ENVOY = "direct", "nginx, plain proxy", "Envoy, plain proxy"
TENSORZERO, PORTKEY, LITELLM = "TensorZero", "Portkey", "LiteLLM"
RELAY, EVERYTHING = "EvoGate, plain relay", "EvoGate, everything on"
MIRROR_10, MIRROR_100 = "EvoGate, mirroring 10 %", "EvoGate, mirroring 100 %"

_SYSTEM = "You answer questions about orders, deliveries and returns of a small shop, briefly and kindly."
_QUESTION = "Where is order %d-%s? It should have arrived last week, and I have heard nothing since."
_RUNS = itertools.count(int(time.time()) % 100_000_000 * 100)  # no two runs send the same message


@dataclass(frozen=True)
class Target:
    """Where it listens, whose consumption counts, and how it is asked."""

    name: str
    port: int
    pid: int = 0
    path: str = "/v1/chat/completions"
    model: str = "bench"
    headers: tuple[str, ...] = ()

    def request(self, **fields: object) -> bytes:
        """A chat request as bytes, with the mark where each request gets a number; `fields` go into its body."""
        messages = [
            {"role": "system", "content": _SYSTEM},
            {"role": "user", "content": _QUESTION % (next(_RUNS), MARK.decode())},
        ]
        body = json.dumps({"model": self.model, "messages": messages, "temperature": 0.7, **fields}).encode()
        head = [
            f"POST {self.path} HTTP/1.1",
            "Host: bench",
            "Content-Type: application/json",
            "Authorization: Bearer sk-bench",
            *self.headers,
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body

    def write_request(self, folder: Path, **fields: object) -> Path:
        """The request as a file, for a load generator."""
        path = folder / "request"
        path.write_bytes(self.request(**fields))
        return path


@dataclass(frozen=True)
class Launch:
    """How a target is started. One on port 0 chooses by itself, and its log tells: `serving http://HOST:PORT`."""

    target: Target
    command: list[str]
    env: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def serving(launch: Launch, folder: Path, core: int) -> Iterator[Target]:
    """Run a server on one core and wait until it has answered a request.

    Raises:
        OperatorError: it does not.
    """
    target = launch.target
    log = folder / f"{launch.target.name}-{target.port}.log"
    with process(launch.command, core, log, launch.env) as pid:
        port = target.port or await_from(target.name, pid, log, lambda: _announced(log))
        target = replace(target, pid=pid, port=port)
        await_from(target.name, pid, log, lambda: _answers(target) or None)
        yield target


def _announced(log: Path) -> int | None:
    found = re.search(r"^serving http://[^:/]+:(\d+)", log.read_text(errors="replace"), re.MULTILINE)
    return int(found[1]) if found else None


def _answers(target: Target) -> bool:
    """Whether it answers one request with 200."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, target.port), 5) as client:
        client.settimeout(5)
        client.sendall(target.request())
        return client.recv(65_536).startswith(b"HTTP/1.1 200 ")
    return False


def streaming_provider(answer: str) -> Launch:
    """The provider that streams timed events, and gives `answer` where no stream is asked for."""
    port = free_port()
    command = [sys.executable, "-m", "loadtests.generator.provider", "--port", str(port), "--answer", answer]
    return Launch(Target(DIRECT, port), command)
