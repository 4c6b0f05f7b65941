"""`python deploy/locked.py EXTRA... < requirements.lock`: what the product itself needs of the lock, with its hashes.

The lock holds the development tools, too, which have no place in an image. A package stays where pyproject.toml names
it in the dependencies or in one of the extras, or where a package that stays is why it is in the lock ("# via").
"""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_VIA = re.compile(r"^    #   (?:via )?([A-Za-z0-9._-]+)|^    # via ([A-Za-z0-9._-]+)", re.MULTILINE)


def selected(lock: str, wanted: set[str]) -> str:
    """The blocks of the lock for these packages and all that they need."""
    blocks: dict[str, str] = {}
    for block in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE):
        name = _name(block)
        blocks[name] = blocks.get(name, "") + block  # several where Pythons need different versions
    parents = {name: {_name(a or b) for a, b in _VIA.findall(block)} for name, block in blocks.items()}
    kept = {name for name in wanted if name in blocks}
    while more := {name for name, why in parents.items() if name not in kept and why & kept}:
        kept |= more
    return "".join(block for name, block in blocks.items() if name in kept)


def wanted_for(extras: list[str]) -> set[str]:
    """The packages that pyproject.toml asks for, what builds the product included.

    Raises:
        KeyError: it knows no such extra.
    """
    told = tomllib.loads(PROJECT.read_text())
    project, build = told["project"], told["build-system"]["requires"]
    lines = [
        *build,
        *project["dependencies"],
        *(line for extra in extras for line in project["optional-dependencies"][extra]),
    ]
    return {_name(line) for line in lines}


def _name(text: str) -> str:
    found = _NAME.match(text)
    return re.sub(r"[-_.]+", "-", found.group().lower()) if found else ""


if __name__ == "__main__":
    sys.stdout.write(selected(sys.stdin.read(), wanted_for(sys.argv[1:])))
