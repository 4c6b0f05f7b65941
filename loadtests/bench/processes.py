"""Processes of a benchmark: pinned to a core, awaited, and ended by their ids whatever happens.

A child is told to end when its parent does (`setpriv --pdeathsig`), so that none is left behind by a kill; a process
group of its own keeps Ctrl-C for the benchmark, which ends its children in order.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn, TypeVar

from loadtests.bench.machine import family
from policies.errors import OperatorError

PACKAGES = {"wrk": "wrk", "nginx": "nginx", "taskset": "util-linux", "setpriv": "util-linux"}
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
T = TypeVar("T")


def require(*names: str) -> None:
    """Make sure that commands are installed.

    Raises:
        OperatorError: one is missing.
    """
    missing = sorted({PACKAGES.get(name, name) for name in names if shutil.which(name) is None})
    if missing:
        raise OperatorError(f"not installed: {', '.join(missing)}; remedy: apt-get install {' '.join(missing)}")


def end_on_signals() -> None:
    """SIGTERM and a lost terminal end the program like Ctrl-C does, so that contexts are left in order."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def _interrupt(number: int, _: object) -> NoReturn:
    raise KeyboardInterrupt(signal.Signals(number).name)


def pinned(command: list[str], core: int) -> list[str]:
    """The command on one core, bound to the life of this process."""
    return ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", str(core), *command]


@contextlib.contextmanager
def process(command: list[str], core: int, log: Path, env: Mapping[str, str] | None = None) -> Iterator[int]:
    """Run a command on one core until the end of the block; its output goes to `log`."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            pinned(command, core),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        try:
            yield child.pid
        finally:
            _end(child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Ask it and its descendants to end, then make them."""
    members = family(child.pid)
    _tell(members, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while any(map(lives, members)) and time.monotonic() < deadline:
        time.sleep(0.01)
    _tell(members, signal.SIGKILL)
    child.wait()


def _tell(members: list[int], number: signal.Signals) -> None:
    for member in members:
        if lives(member):
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, number)


def output_of(command: list[str], core: int, *, timeout_s: float) -> str:
    """What a command that ends by itself prints; it is killed where it does not end in time.

    Raises:
        OperatorError: it failed, or took too long; with the end of what it said.
    """
    try:
        done = subprocess.run(pinned(command, core), capture_output=True, text=True, check=False, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise OperatorError(f"'{command[0]}' did not end within {timeout_s:.0f} s") from error
    if done.returncode:
        raise OperatorError(f"'{' '.join(command[:4])}' failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def lives(pid: int) -> bool:
    """Whether it is still running, rather than gone or waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def await_from(name: str, pid: int, log: Path, look: Callable[[], T | None]) -> T:
    """What `look` finds, as soon as it finds something, while the process lives.

    Raises:
        OperatorError: the process ended, or there was nothing to find in time; with the end of its log.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and lives(pid):
        found = look()
        if found is not None:
            return found
        time.sleep(0.05)
    said = log.read_text(errors="replace").strip()[-2000:]
    raise OperatorError(f"'{name}' does not serve; it said:\n{said or '(nothing)'}")
