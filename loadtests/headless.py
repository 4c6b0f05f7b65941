"""`make load`: starts the sandbox and a gateway on free ports, runs locust against it, and checks the recordings.

Exit code 1 where a request failed, or an answered request has no outcome on record.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from config import builtin
from gateway.cli.supervisor import Supervisor
from gateway.recording.reader import tail

LOCUSTFILE = Path(__file__).with_name("locustfile.py")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--users", type=int, default=20)
    options.add_argument("--seconds", type=int, default=20)
    arguments = options.parse_args()
    sys.exit(asyncio.run(run(arguments.users, arguments.seconds)))


async def run(users: int, seconds: int) -> int:
    """The exit code."""
    with tempfile.TemporaryDirectory(prefix="evogate-load-") as folder:
        home = Path(folder) / "home"
        supervisor = Supervisor(lambda line: print(line, file=sys.stderr))
        try:
            address = await start(supervisor, home)
            code = await locust(address, users, seconds)
        finally:
            await supervisor.stop()
        assigned, lost = unanswered(home / "spool")
    print(f"records: {assigned} assignments, {lost} without an outcome")
    return 1 if code or lost or not assigned else 0


async def start(supervisor: Supervisor, home: Path) -> str:
    """Sandbox and gateway; the gateway's address."""
    environ = {
        **os.environ,
        "EVOGATE_HOME": str(home),
        "EVOGATE_CONFIG": str(builtin.path("demo")),
        "EVOGATE_GATEWAY__PORT": "0",
        "EVOGATE_GATEWAY__ADMIN_PORT": "0",
    }
    arguments = ("gateway", "sandbox", "--port", "0", "--delay-scale", "0.1")
    environ["EVOGATE_SANDBOX"] = await supervisor.start("sandbox", arguments, environ)
    return await supervisor.start("gateway", ("gateway", "gateway"), environ)


async def locust(address: str, users: int, seconds: int) -> int:
    """Run it headless; its exit code is 1 where a request failed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"),
        *("--users", str(users), "--spawn-rate", str(users), "--run-time", f"{seconds}s", "--stop-timeout", "10"),
        *("--host", address),
    )
    return await process.wait()


def unanswered(spool: Path) -> tuple[int, int]:
    """(assignments, those of them without an outcome) on record."""
    assigned: set[str] = set()
    settled: set[str] = set()
    for _, _, payload in tail(spool):
        {"assignment": assigned, "outcome": settled}.get(payload["t"], set()).add(payload["id"])
    return len(assigned), len(assigned - settled)


if __name__ == "__main__":
    main()
