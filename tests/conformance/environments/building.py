"""Building an environment once, however many test processes want it at the same time."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NODE_CLIENT = "openai@6.49.0"  # the newest that runs on Node 20
_BUILD_S = 300.0


async def python(cache: Path, name: str) -> Path:
    """The interpreter of an environment with what `<name>.txt` locks; skips the test where that can't be had."""
    lock = HERE / f"{name}.txt"
    home = cache / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    interpreter = home / "bin" / "python"
    install = (str(interpreter), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes")
    await _build(home, (sys.executable, "-m", "venv", str(home)), (*install, "-r", str(lock)))
    return interpreter


async def node(cache: Path) -> Path:
    """A folder whose `node_modules` holds the client; skips the test where that can't be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not on this machine")
    home = cache / NODE_CLIENT
    options = ("--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
    await _build(home, ("npm", "install", "--prefix", str(home), *options, NODE_CLIENT))
    return home


async def run(*command: str | Path, cwd: Path, **environment: str) -> tuple[int, str, str]:
    """A command in an environment that knows neither our packages nor a proxy: (exit code, output, errors)."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env={**kept, "NO_PROXY": "*", **environment},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


async def _build(home: Path, *commands: tuple[str, ...]) -> None:
    """Run the commands unless they were run before; a folder that was left half built is built anew."""
    stamp = home / ".built"
    async with _locked(home.with_name(f"{home.name}.lock")), asyncio.timeout(_BUILD_S):
        if stamp.exists():
            return
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)  # noqa: ASYNC240  (nobody else is on the loop)
        for command in commands:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
            )
            _, errors = await process.communicate()
            if process.returncode:
                pytest.skip(f"{home.name} can't be installed here: {_last_line(errors)}")
        stamp.touch()


def _last_line(errors: bytes) -> str:
    return (errors.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]


@asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        yield
