"""The test rig of the overhead benchmark: processes pinned to cores, and what they consumed."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policies.errors import OperatorError

TOOLS = {"wrk": "wrk", "nginx": "nginx", "taskset": "util-linux"}
LUA = Path(__file__).with_name("throughput.lua")
START_TIMEOUT_S = 30.0
BYPASS = "x-evogate-bypass: 1\r\n"

ANSWER = {
    "id": "chatcmpl-bench",
    "object": "chat.completion",
    "created": 1767225600,
    "model": "bench-large",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "I am sorry that your order is late. It left our warehouse on Tuesday and was handed to the "
                "carrier the same evening. The carrier reports a delay of two working days at the sorting centre. "
                "If it has not arrived by Friday evening, write to us again and we will send a new one at once, "
                "free of charge. Would you like a message as soon as it is out for delivery?",
            },
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 61, "completion_tokens": 88, "total_tokens": 149},
}

NGINX = """
daemon off; master_process off; pid {folder}/{port}.pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_timeout 300s; keepalive_requests 1000000000;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  {more}
  server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ {location} }} }}
}}
"""
UPSTREAM_BLOCK = "upstream provider {{ server 127.0.0.1:{port}; keepalive 64; keepalive_requests 1000000000; }}"
PROXY_LOCATION = "proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection '';"
ANSWER_LOCATION = "default_type application/json; return 200 '{answer}';"


@dataclass(frozen=True)
class Cores:
    """The core of what is measured, and the core of everything around it; the same where there is only one."""

    measured: int
    other: int

    @classmethod
    def here(cls) -> "Cores":
        """The first and the last core that this process may use."""
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[0], cores[-1])


@dataclass(frozen=True)
class Target:
    """Something to measure: where it listens, whose consumption counts, and a header of its own."""

    name: str
    port: int
    pid: int
    header: str = ""


def require(names: tuple[str, ...] = ("wrk", "nginx", "taskset")) -> None:
    """Make sure that the tools are installed.

    Raises:
        OperatorError: one is missing.
    """
    missing = [TOOLS[name] for name in names if shutil.which(name) is None]
    if missing:
        raise OperatorError(f"not installed: {', '.join(missing)}; remedy: apt-get install {' '.join(missing)}")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def process(command: list[str], core: int, log: Path, env: Mapping[str, str] | None = None) -> Iterator[int]:
    """Run a command on one core until the end of the block; its output goes to `log`."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
        try:
            yield child.pid
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def wait_until_serving(target: Target, pid: int, log: Path, path: str) -> None:
    """Poll until the process answers `path` with 200.

    Raises:
        OperatorError: it ended, or did not answer in time; with the end of its log.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{target.port}{path}", timeout=5) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.05)
    said = log.read_text(errors="replace").strip()[-2000:]
    raise OperatorError(f"'{target.name}' does not answer on port {target.port}; it said:\n{said or '(nothing)'}")


def nginx(folder: Path, name: str, *, provider: int | None, core: int) -> "contextlib.AbstractContextManager[Target]":
    """nginx as a provider that always gives ANSWER, or as a plain proxy before the one on port `provider`."""
    port = free_port()
    if provider is None:
        more, location = "", ANSWER_LOCATION.format(answer=json.dumps(ANSWER))
    else:
        more, location = UPSTREAM_BLOCK.format(port=provider), PROXY_LOCATION
    conf = folder / f"nginx-{port}.conf"
    conf.write_text(NGINX.format(folder=folder, port=port, more=more, location=location))
    return serving(["nginx", "-p", str(folder), "-c", str(conf)], Target(name, port, 0), folder, core)


@contextlib.contextmanager
def serving(
    command: list[str],
    target: Target,
    folder: Path,
    core: int,
    *,
    env: Mapping[str, str] | None = None,
    ready: str = "/",
) -> Iterator[Target]:
    """Run a server and wait until it serves."""
    log = folder / f"{target.port}.log"
    with process(command, core, log, env) as pid:
        wait_until_serving(target, pid, log, ready)
        yield Target(target.name, target.port, pid, target.header)


def script(name: str) -> str:
    """A command installed beside the running interpreter."""
    return str(Path(sys.executable).with_name(name))


def family(pid: int) -> list[int]:
    """The process and its descendants."""
    members = [pid]
    for member in members:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                members += map(int, children.read_text().split())
    return members


def cpu_seconds(pid: int) -> float:
    """CPU time that the process and its descendants have used so far, all threads (from schedstat, in ns there)."""
    total = 0
    for member in family(pid):
        for stat in Path(f"/proc/{member}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(stat.read_text().split()[0])
    return total / 1e9


def resident_mb(pid: int) -> float:
    """Resident memory of the process and its descendants, in MB; shared pages count for each."""
    pages = sum(int(Path(f"/proc/{member}/statm").read_text().split()[1]) for member in family(pid))
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def wrk(target: Target, *, connections: int, seconds: int, core: int) -> dict[str, Any]:
    """Load a target, closed loop, one thread; what wrk counted.

    Raises:
        OperatorError: wrk failed.
    """
    url = f"http://127.0.0.1:{target.port}/"
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(LUA), url]
    done = subprocess.run([*command, "--", target.header], capture_output=True, text=True, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise OperatorError(f"wrk failed on {target.name}: {(done.stderr or done.stdout).strip()}")
    counted: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return counted
