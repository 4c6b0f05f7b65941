"""The benchmark from end to end, briefly: it measures every part, and leaves nothing behind when it is interrupted."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.bench.machine import family
from loadtests.bench.processes import PACKAGES, lives
from loadtests.bench.targets import EVERYTHING, MIRROR_100, RELAY

ROOT = Path(__file__).parents[2]
MISSING = [name for name in PACKAGES if shutil.which(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.timeout(240),
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
    assert found["memory"][EVERYTHING]["load"] > 0
    assert "### Goals" in done.stdout


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
    assert len(members) > 4  # the provider, a proxy and three gateways at least
    assert not [member for member in members if lives(member)]
    assert "interrupted" in (tmp_path / "bench.md").read_text()
