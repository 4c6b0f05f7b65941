"""Named queries of the .sql files beside this one: `-- name: X` opens each."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(name: str) -> dict[str, str]:
    """Query name -> statement of `sql/<name>.sql`."""
    pieces = _NAME.split(text(name))
    return {key: body.strip() for key, body in zip(pieces[1::2], pieces[2::2], strict=True)}


def text(name: str) -> str:
    """The whole file."""
    return files("evolver.store").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
