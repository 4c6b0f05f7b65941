"""The registry's SQL: named queries that every dialect understands, and each dialect's numbered migrations."""

import re
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).parent / "sql"
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(family: str) -> dict[str, str]:
    """The statements of `<family>.sql` by the name in the line `-- name: …` above each."""
    _, *parts = _NAME.split((_ROOT / f"{family}.sql").read_text("utf-8"))
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}


@cache
def migrations(dialect: str) -> tuple[str, ...]:
    """The scripts in order; the n-th brings a schema of version n - 1 to version n."""
    paths = sorted((_ROOT / dialect / "migrations").glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return tuple(path.read_text("utf-8") for path in paths)
