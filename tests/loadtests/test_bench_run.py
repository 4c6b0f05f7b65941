"""The benchmark from end to end, briefly: it measures every part, and leaves nothing behind when it is interrupted."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.bench.machine import family
from loadtests.bench.plan import PARTS
from loadtests.bench.processes import PACKAGES, lives
from loadtests.bench.streams import HELD
from loadtests.bench.targets import DIRECT, EVERYTHING, MIRROR_100, NGINX, RELAY

ROOT = Path(__file__).parents[2]
MISSING = [name for name in PACKAGES if shutil.which(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.timeout(600),
]


def command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "loadtests.bench", "--quick", "--no-peers", "--output", str(folder), *options]


def test_a_quick_run_measures_every_part(tmp_path: Path) -> None:
    done = subprocess.run(command(tmp_path), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "bench.json").read_text())
    assert {EVERYTHING, RELAY, MIRROR_100} <= {row["target"] for row in found["closed"]}
    assert all(row["requests_per_s"] > 0 for row in found["closed"])
    assert not [row for row in found["paced"] if row["failed"]]
    assert not [row for row in found["streamed"] if row["whole"] != row["streams"]]
    assert {row["target"] for row in found["pairs"]} == {EVERYTHING, MIRROR_100}
    assert not [note for note in found["notes"] if "not everything was on" in note or "lost" in note]
    for memory in (found["memory"], found["stream_memory"]):
        assert 0 < memory[EVERYTHING]["idle"] <= memory[EVERYTHING]["load"]
        assert memory[EVERYTHING]["after"] > 0
    assert found["plan"]["parts"] == list(PARTS)
    assert found["machine"]["evogate"]
    assert "doubts" in found
    assert "### Goals" in done.stdout


@pytest.mark.parametrize(
    ("part", "kind", "targets"),
    [
        ("mirror", "pairs", {EVERYTHING, MIRROR_100}),
        ("held", "streamed", {DIRECT, NGINX, RELAY, EVERYTHING}),
    ],
)
def test_a_part_alone_measures_itself_and_starts_nothing_else(
    tmp_path: Path, part: str, kind: str, targets: set[str]
) -> None:
    done = subprocess.run(command(tmp_path, "--only", part), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "bench.json").read_text())
    assert found["plan"]["parts"] == [part]
    assert {row["target"] for row in found[kind]} == targets
    assert not [rows for rows in ("closed", "paced", "pairs", "streamed") if rows != kind and found[rows]]
    memory = found["stream_memory" if kind == "streamed" else "memory"]
    assert set(memory) == targets - {DIRECT, RELAY}
    assert all(taken["load"] > 0 for taken in memory.values())
    if part == "held":
        assert all(row["began"] == row["whole"] == row["streams"] == HELD.streams for row in found[kind])


def test_ctrl_c_ends_every_process_that_it_started(tmp_path: Path) -> None:
    with subprocess.Popen(
        command(tmp_path, "--only", "mirror"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as bench:
        assert bench.stderr is not None
        for line in bench.stderr:
            if "p99" in line:
                break
        members = family(bench.pid)
        bench.send_signal(signal.SIGINT)
        bench.communicate(timeout=60)
    assert bench.returncode == 1
    assert len(members) > 3  # the bench, the provider and two gateways at least
    assert not [member for member in members if lives(member)]
    assert "interrupted" in (tmp_path / "bench.md").read_text()
