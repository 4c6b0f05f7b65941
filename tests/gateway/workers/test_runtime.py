"""What every process of the gateway sets up alike."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

START = "import gateway.process, gateway.workers.child"
# Megabytes that the modules of a gateway may cost: a third above what they did when this was written.
MOST_MB = 105.0


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_process_may_open_as_many_files_as_it_is_allowed() -> None:
    code = (
        "import resource as r; from gateway.workers.runtime import allow_many_files;"
        "r.setrlimit(r.RLIMIT_NOFILE, (256, r.getrlimit(r.RLIMIT_NOFILE)[1])); allow_many_files();"
        "print(r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert int(run(code)) == (65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536))


def test_a_start_imports_what_it_needs_and_no_more() -> None:
    """What is needed by one command alone is imported there."""
    found = run(f"{START}, sys; print(*sys.modules)").split()
    unwanted = {"sklearn", "scipy", "openai", "anthropic", "rich", "opentelemetry", "evolver", "hypothesis"}
    assert not unwanted & set(found)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells how much is resident")
def test_an_idle_process_is_small() -> None:
    status = run(f"{START}; print(open('/proc/self/status').read())")
    assert int(status.partition("VmRSS:")[2].split()[0]) / 1024 < MOST_MB
