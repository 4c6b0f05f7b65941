"""`python -m loadtests.peers.optimizers [FOLDER]`: installs the optimizers that `make optimize-bench` compares with.

Each has an environment of its own below the folder (default: EVOGATE_PEERS, or build/peers), about 600 MB in all. What
is there already stays; what fails is skipped, and said.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from loadtests.bench.peers import folder
from loadtests.peers.install import LIMIT_S, ensure, with_pip

REQUIREMENTS = {"gepa": "gepa==0.1.4", "optuna": "optuna==5.0.0", "promptolution": "promptolution==2.3.0"}
# What CAPO imports; promptolution's own list brings in what reads parquet files and configures experiments.
IMPORTED = ("numpy", "openai", "pandas", "scikit-learn", "scipy", "tqdm")


def main() -> int:
    """Install what is missing; 0 all there, 1 some are not."""
    options = argparse.ArgumentParser(prog="python -m loadtests.peers.optimizers", description=__doc__)
    options.add_argument("folder", type=Path, nargs="?", default=folder())
    peers: Path = options.parse_args().folder.resolve()
    peers.mkdir(parents=True, exist_ok=True)
    record = peers / "versions.json"
    versions: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
    failed = False
    for name, requirement in REQUIREMENTS.items():
        install = promptolution if name == "promptolution" else with_pip
        failed |= not ensure(peers / name, requirement, install, versions)
        record.write_text(json.dumps(versions, indent=1))
    return 1 if failed else 0


def promptolution(where: Path, requirement: str) -> None:
    """By itself, and beside it only what CAPO imports.

    Raises:
        SubprocessError: pip failed, or took too long.
    """
    with_pip(where, " ".join(IMPORTED))
    pip = [str(where / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, requirement], check=True, timeout=LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
