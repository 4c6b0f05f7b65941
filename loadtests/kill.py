"""`python -m loadtests.kill --rounds 1000`: kills a recording process at random moments under load.

The clients are the oracle: what was answered before the kill must be on record, both its frames, exactly once; nothing
may be on record that was never asked; and the hash chain must hold before and after the next start. Exit code 1 at the
first round that differs, with its folder left for inspection.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from gateway.recording import Position, read_frames, verify_chain

CLIENTS = 8
PIPELINED = 4  # requests that a client has under way
ROUNDS_A_FOLDER = 25  # checking a chain takes time in proportion to its length
LONGEST_S = 0.25  # from the first answer to the kill
AT_START = 0.1  # of the kills come while the process starts and recovers
START_S = 0.3


@dataclass
class Oracle:
    """What the clients know, and how far the recordings have been compared with it."""

    directory: Path
    asked: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)
    recorded: Counter[tuple[str, str]] = field(default_factory=Counter)
    position: Position | None = None

    def check(self) -> None:
        """Compare with what is on record now.

        Raises:
            AssertionError: the recordings don't hold what was promised.
        """
        for position, frame in read_frames(self.directory, self.position):
            self.position = position
            self.recorded[frame["t"], frame["id"]] += 1
        twice = [key for key, times in self.recorded.items() if times > 1]
        missing = [i for i in self.answered for kind in ("assignment", "outcome") if (kind, i) not in self.recorded]
        invented = {request for _, request in self.recorded} - self.asked
        assert not missing, f"{len(missing)} answered requests are not on record, such as {missing[0]}"
        assert not twice, f"{len(twice)} frames are on record more than once, such as {twice[0]}"
        assert not invented, f"{len(invented)} records of what was never asked, such as {min(invented)}"
        report = verify_chain(self.directory)
        assert report.ok, f"the chain does not hold: {report.flaws[0]}"


async def one_round(oracle: Oracle, number: int, rng: random.Random, level: str) -> int:
    """Start the process, load it, kill it, and look; returns the answers that were given."""
    before = len(oracle.answered)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtests.kill_writer", str(oracle.directory), level),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    clients: list[asyncio.Task[None]] = []
    try:
        if rng.random() < AT_START:
            await asyncio.sleep(rng.random() * START_S)
        else:
            clients = await _load(oracle, process, str(number))
            await asyncio.sleep(rng.random() * LONGEST_S)
    finally:
        process.kill()
        await process.wait()
    await asyncio.gather(*clients)
    oracle.check()
    return len(oracle.answered) - before


async def _load(oracle: Oracle, process: asyncio.subprocess.Process, name: str) -> list[asyncio.Task[None]]:
    """Connect the clients; returns with the first answer."""
    assert process.stdout is not None
    port = int((await asyncio.wait_for(process.stdout.readline(), 30)).split()[1])
    first = asyncio.Event()
    clients = [asyncio.create_task(_client(oracle, port, f"{name}-{client}", first)) for client in range(CLIENTS)]
    await asyncio.wait_for(first.wait(), 30)
    return clients


async def _client(oracle: Oracle, port: int, name: str, first: asyncio.Event) -> None:
    """Ask without a pause until the connection breaks; note each answer that came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    try:
        while True:
            for _ in range(PIPELINED):
                request = f"{name}-{count}"
                count += 1
                oracle.asked.add(request)
                writer.write(request.encode() + b"\n")
            for _ in range(PIPELINED):
                line = await reader.readline()
                if not line.endswith(b"\n"):
                    return
                oracle.answered.add(line[:-1].decode())
                first.set()
    except ConnectionError:
        return
    finally:
        writer.close()


async def run(rounds: int, seed: int, level: str, root: Path) -> int:
    """All rounds; the number of answers checked.

    Raises:
        AssertionError: the recordings don't hold what was promised.
    """
    rng = random.Random(seed)
    answers = 0
    for number in range(rounds):
        if number % ROUNDS_A_FOLDER == 0:
            shutil.rmtree(root / "spool", ignore_errors=True)
            oracle = Oracle(root / "spool")
        answers += await one_round(oracle, number, rng, level)
    return answers


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--level", choices=("kill_safe", "power_safe"), default="kill_safe")
    arguments = options.parse_args()
    root = Path(tempfile.mkdtemp(prefix="evogate-kill-"))
    try:
        answers = asyncio.run(run(arguments.rounds, arguments.seed, arguments.level, root))
    except AssertionError as error:
        sys.exit(f"{error} (seed {arguments.seed}; the recordings are in {root})")
    shutil.rmtree(root)
    print(f"{arguments.rounds} kills, {answers} answered requests, all on record exactly once; every chain holds")


if __name__ == "__main__":
    main()
