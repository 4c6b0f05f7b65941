"""`python deploy/compile.py [--guided] FOLDER`: EvoGate with its hot modules compiled by mypyc, in a folder of its own.

The modules named here are on the path of every covered request; compiled, they run the same code with half the
instructions. The sources stay what is edited, tested and read: nothing compiled ever lies beside them, and whatever is
not named here is only copied. Needs a C compiler and Python's headers, and some minutes.

`--guided` takes two and a half times as long and needs GCC: a first build counts what runs while it serves requests,
streams and a demo's traffic, and a second one keeps what ran apart from what did not, and together.

    python deploy/compile.py --guided .compiled
    PYTHONSAFEPATH=1 PYTHONPATH=.compiled .venv/bin/evogate gateway

Sources: mypyc.readthedocs.io; "Program Instrumentation Options" in GCC's manual.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("config", "evolver", "gateway", "loadtests", "policies")
STAMP = "compiled.txt"
GUIDED = "--guided"
# What a guided build serves before it is built again: covered requests, and everything else that the loop does.
TRAINING = (
    ("python", "-m", "loadtests.path", "--rounds", "1", "--requests", "20000"),
    ("evogate", "up", "--demo", "--seconds", "60", "--json"),
)
NEEDED = (
    "could not compile: a C compiler and Python's headers are needed (Debian: gcc python3-dev), GCC for --guided. "
    "EvoGate runs from its sources as well, at two thirds of the speed."
)
# Left out on purpose: what derives from pydantic's classes, what imports `policies.arrays` (it says why), and what no
# request comes by.
HOT = {
    "gateway/http": (
        "calls client_connection deadlines errors framing incoming known_heads messages request_parser "
        "response_parser server upstream upstream_connection"
    ),
    "gateway/pipeline": (
        "admission answers app aside channels clock core courier entropy epoch exchange failures fallopen headers "
        "live metrics models outages places plan posteriors reading receiver recent recorder relay rendering routes "
        "settle signals streaming uncovered"
    ),
    "gateway/recording": "chain durable errors group ids redact segments wire writer",
    "policies": "assignment errors fitness keyed kinds matching pins salt unit validators",
    "policies/dialects": "dialect",
    "policies/evidence": "channels experiment ledger noharm settlement starts",
    "policies/memory": "entry",
    "policies/outcome": (
        "answer chat chat_stream classes classify completions cost events messages_stream refusal responses_stream "
        "words"
    ),
    "policies/render": "chat exact parameters renderer stable target turns vocabulary",
    "policies/resilience": "attempts health limiter retry_budget troubles",
}


def hot() -> Iterator[str]:
    """The modules to compile, as paths from the root of the sources."""
    for folder, names in HOT.items():
        yield from (f"{folder}/{name}.py" for name in names.split())


def copy(target: Path) -> None:
    """The sources, without what else lies among them."""
    shutil.rmtree(target, ignore_errors=True)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, target / package, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    shutil.copy(ROOT / "pyproject.toml", target)


def build(target: Path, **flags: str) -> str:
    """Compile what is hot; what the compiler said where it failed, else empty."""
    for made in target.rglob("*.so"):
        made.unlink()
    shutil.rmtree(target / ".mypy_cache", ignore_errors=True)
    mypyc = Path(sys.executable).with_name("mypyc")
    return _run([str(mypyc), *hot()], target, flags)


def guided(target: Path) -> str:
    """Count, then compile by the counts; what failed, else empty."""
    counting = "-fprofile-generate -fprofile-update=single"
    failed = build(target, CFLAGS=counting, LDFLAGS=counting)
    for command in TRAINING:
        failed = failed or _run(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]], target, _served(target)
        )
    return failed or build(target, CFLAGS="-fprofile-use -fprofile-correction -Wno-missing-profile")


def _served(target: Path) -> dict[str, str]:
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(target), "EVOGATE_HOME": str(target / "build" / "home")}


def _run(command: list[str], where: Path, flags: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=where, env=os.environ | flags, capture_output=True, text=True, check=False)
    return f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}" if done.returncode else ""


def main(arguments: list[str]) -> int:
    """Returns 2 where the folder can't be used, 1 where there is nothing to compile with."""
    folders = [argument for argument in arguments if argument != GUIDED]
    target = Path(folders[0] if folders else ".compiled").resolve()
    if target.exists() and not (target / STAMP).exists():
        print(f"{target} is there and was not made by this command; name another folder", file=sys.stderr)
        return 2
    copy(target)
    (target / STAMP).write_text("".join(f"{path}\n" for path in hot()), encoding="utf-8")
    failed = guided(target) if GUIDED in arguments else build(target)
    if failed:
        print(failed, NEEDED, sep="\n", file=sys.stderr)
        shutil.rmtree(target)
        return 1
    shutil.rmtree(target / "build")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
