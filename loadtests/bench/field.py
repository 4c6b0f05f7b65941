"""What takes part in a run: started, looked after, and ended with it."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from loadtests.bench import peers
from loadtests.bench.closed import Bench, Closed
from loadtests.bench.evogate import Gateway
from loadtests.bench.machine import Busy, resident_mb
from loadtests.bench.paced import Paced
from loadtests.bench.results import Memory, Results
from loadtests.bench.streams import Streamed
from loadtests.bench.targets import DIRECT, EVERYTHING, RELAY, Launch, Target, serving
from policies.errors import OperatorError

Say = Callable[[str], None]
QUIET = 0.1  # of a core: what waits for requests needs some of it


class Field:
    """Everything that takes part, while it runs."""

    def __init__(
        self, stack: contextlib.ExitStack, bench: Bench, results: Results, memory: dict[str, Memory], say: Say
    ) -> None:
        """`memory` is where that of these processes is noted."""
        self.targets: list[Target] = []
        self._gateways: list[Gateway] = []
        self._stack = stack
        self._bench = bench
        self._results = results
        self._memory = memory
        self._say = say

    def start(self, launch: Launch, core: int | None = None) -> Target:
        """Start it, on the measured core where no other is named."""
        self._say(f"starting {launch.target.name}")
        core = self._bench.cores.measured if core is None else core
        target = self._stack.enter_context(serving(launch, self._bench.folder, core))
        self.targets.append(target)
        return target

    def start_peers(self, upstream: int, *, only: str | None = None) -> None:
        """Start those that are installed; one that isn't, or fails, is left out, and that is noted."""
        where = peers.folder()
        found = peers.installed(where)
        for name in peers.NAMES:
            if only in {None, name} and name not in found:
                self._results.notes.append(f"{name} is not installed in {where}: left out (loadtests/peers/install.py)")
        for name, launch in found.items():
            if only in {None, name}:
                self._try(launch(self._bench.folder, upstream))

    def _try(self, launch: Launch) -> None:
        try:
            self.start(launch)
        except OperatorError as error:
            self._results.notes.append(f"{launch.target.name} did not start: left out")
            self._say(str(error))

    def start_gateway(self, name: str, upstream: int, *, mirrored: float = 0.0) -> Target:
        """Start EvoGate and give its parts something to do."""
        gateway = Gateway.prepare(name, self._bench.folder, upstream, mirrored=mirrored)
        target = self.start(gateway.launch)
        gateway.populate()
        self._gateways.append(gateway)
        return target

    def note_idle(self, settle_s: float) -> None:
        """Resident memory before any load, and how busy the machine is without any."""
        with Busy(self._bench.cores.measured) as measured, Busy(self._bench.cores.other) as other:
            time.sleep(settle_s)
        if max(measured.share, other.share) > QUIET:
            found = f"before any load its cores were {measured.share:.0%} and {other.share:.0%} busy"
            self._results.notes.append(f"the machine was not quiet: {found}")
        for target in self._measured():
            self._memory[target.name] = Memory(idle=resident_mb(target.pid))

    def note_after(self, settle_s: float, rows: Sequence[Closed | Paced | Streamed]) -> None:
        """Resident memory under the load of `rows` and after it; whether everything stayed on."""
        time.sleep(settle_s)
        for target in self._measured():
            names = {target.name, RELAY} if target.name == EVERYTHING else {target.name}
            memory = self._memory[target.name]
            memory.load = max((row.resident_mb for row in rows if row.target in names), default=None)
            memory.after = resident_mb(target.pid)
        self.check_gateways()

    def check_gateways(self) -> None:
        """A part that gave up on the way made its gateway cheaper: that is noted."""
        for gateway in self._gateways:
            status = gateway.status()
            lost = status["spool"]["lost_frames"]
            fell_open = {stage: count for stage, count in status["fell_open"]["counts"].items() if count}
            if not gateway.complete():
                self._results.notes.append(f"{gateway.name}: not everything was on until the end")
            if lost or fell_open:
                self._results.notes.append(f"{gateway.name}: {lost} frames lost, fell open: {fell_open or 'never'}")

    def _measured(self) -> Iterator[Target]:
        return (target for target in self.targets if target.name != DIRECT)
