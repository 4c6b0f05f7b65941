"""Real processes: `kill -9` at random moments, and a limit of the kernel on the size of files."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.recording import Position, read_frames, recover
from tests.gateway.recording.samples import ROOT, numbers


def kill_rounds(directory: Path, rounds: int, seed: int) -> int:
    """Kill a writer `rounds` times; returns how many bytes of torn tails were met.

    Each round reads on from where the last one ended, as the evolver does; the whole is read once more at the end.
    """
    rng, first, torn, read = random.Random(seed), 0, 0, Position(0, 0)
    for _ in range(rounds):
        acknowledged = _kill_after(directory, first, rng.randrange(1 << 30), rng.randrange(1, 60))
        torn += recover(directory)
        for behind, payload in read_frames(directory, read):
            assert payload["n"] == first
            first, read = first + 1, behind
        assert acknowledged < first
    assert numbers(directory) == list(range(first))
    return torn


def _kill_after(directory: Path, first: int, seed: int, acknowledgements: int) -> int:
    """Run a writer until so many acknowledgements came, kill it, and return the last one that it gave."""
    command = [sys.executable, "-m", "tests.gateway.recording.appender", str(directory), str(first), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(acknowledgements)]
        process.kill()
        lines += process.stdout.readlines()
    return int([line for line in lines if line.endswith(b"\n")][-1])


def test_what_was_acknowledged_before_a_kill_is_there(tmp_path: Path) -> None:
    kill_rounds(tmp_path, rounds=10, seed=1)


@pytest.mark.slow
def test_what_was_acknowledged_before_many_kills_is_there(tmp_path: Path) -> None:
    kill_rounds(tmp_path, rounds=100, seed=2)


def test_a_limit_on_file_sizes_delays_frames_and_loses_none(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.gateway.recording.limited", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
