"""The compiled gateway is the same gateway: what runs over sockets is run again from the command's folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import compile as compiling
from deploy.compile import ROOT, STAMP, hot, main

AGAIN = (
    "tests/faults",
    "tests/gateway/http",
    "tests/gateway/recording",
    "tests/gateway/workers",
    "tests/policies/dialects",
    "tests/policies/outcome",
)
_COMPILED = "import gateway.pipeline.exchange as exchange; assert exchange.__file__.endswith('.so'), exchange.__file__"


def test_what_is_compiled_is_there() -> None:
    assert [path for path in hot() if not (ROOT / path).is_file()] == []


def test_what_has_its_arrays_late_is_not_compiled() -> None:
    """The compiler would take what stands for numpy for numpy itself, which nobody has loaded."""
    assert [path for path in hot() if "policies.arrays" in (ROOT / path).read_text(encoding="utf-8")] == []
    assert "policies/arrays.py" not in {str(path) for path in hot()}


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes").write_text("mine", encoding="utf-8")
    assert main([str(tmp_path)]) == 2
    assert "name another folder" in capsys.readouterr().err
    assert (tmp_path / "notes").read_text(encoding="utf-8") == "mine"


def test_a_guided_build_counts_serves_and_builds_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one of the steps fails, what it said is what comes back, and nothing is built by half a count."""
    steps: list[tuple[str, str]] = []

    def run(command: list[str], _where: Path, flags: dict[str, str]) -> str:
        steps.append((Path(command[0]).name, flags.get("CFLAGS", "").partition(" ")[0]))
        return "no demo" if command[0].endswith(failing) else ""

    monkeypatch.setattr(compiling, "_run", run)
    failing = "nothing"
    assert compiling.guided(tmp_path) == ""
    whole = [("mypyc", "-fprofile-generate"), ("python", ""), ("evogate", ""), ("mypyc", "-fprofile-use")]
    assert steps == whole
    steps.clear()
    failing = "evogate"
    assert compiling.guided(tmp_path) == "no demo"
    assert steps == whole[:3]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_compiled_gateway_passes_the_tests(tmp_path: Path) -> None:
    folder = tmp_path / "compiled"
    assert main([str(folder)]) == 0
    assert (folder / STAMP).exists()
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    environment = os.environ | {"PYTHONPATH": str(folder)}
    again = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow", *AGAIN]
    for command in ([sys.executable, "-c", _COMPILED], again):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
