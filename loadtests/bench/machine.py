"""The machine: its cores, and what processes consume of it."""

import contextlib
import os
import resource
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

FILES = 20_000  # 5,000 streams need two sockets each in a proxy
PEAK_EVERY_S = 0.25


@dataclass(frozen=True)
class Cores:
    """The core of what is measured, and the core of everything around it; the same where there is only one."""

    measured: int
    other: int

    @classmethod
    def here(cls) -> Self:
        """The first and the last core that this process may use."""
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[0], cores[-1])

    @classmethod
    def shared_out(cls) -> Self:
        """The same; this process keeps away from the measured core from now on."""
        cores = cls.here()
        os.sched_setaffinity(0, {cores.other})
        return cores


class Busy:
    """How busy one core is, all processes counted, while the context lasts; `share` of 0 to 1 afterwards."""

    def __init__(self, core: int) -> None:
        self._core = core
        self.share = 0.0

    def __enter__(self) -> Self:
        self._idle, self._all = self._ticks()
        return self

    def __exit__(self, *_: object) -> None:
        idle, everything = self._ticks()
        self.share = 1.0 - (idle - self._idle) / max(everything - self._all, 1)

    def _ticks(self) -> tuple[int, int]:
        """(idle, all) clock ticks of the core since the machine started."""
        for line in Path("/proc/stat").read_text().splitlines():
            name, *ticks = line.split()
            if name == f"cpu{self._core}":
                numbers = [int(tick) for tick in ticks[:8]]
                return numbers[3] + numbers[4], sum(numbers)
        raise LookupError(f"/proc/stat knows no core {self._core}")


class Peak:
    """The most resident memory of a process and its descendants while the context lasts; `mb` afterwards."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)  # Ctrl-C may come before the block is entered
        self.mb = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.mb = max(self.mb, resident_mb(self._pid))

    def _watch(self) -> None:
        while not self._over.wait(PEAK_EVERY_S):
            self.mb = max(self.mb, resident_mb(self._pid))


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
    pages = 0
    for member in family(pid):
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{member}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def allow_files() -> None:
    """Let this process and its children open as many files as thousands of streams need, where the system allows it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else FILES, hard))
