"""The adapter's SQL: named queries of the `.sql` files, and the numbered migrations."""

import re
import sqlite3
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).parent / "sql" / "sqlite"
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(family: str) -> dict[str, str]:
    """The statements of `<family>.sql` by the name in the line `-- name: …` above each."""
    _, *parts = _NAME.split((_ROOT / f"{family}.sql").read_text("utf-8"))
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}


@cache
def migrations() -> tuple[tuple[str, ...], ...]:
    """Each migration's statements in order; the n-th brings a schema of version n - 1 to version n."""
    paths = sorted((_ROOT / "migrations").glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return tuple(statements(path.read_text("utf-8")) for path in paths)


def statements(script: str) -> tuple[str, ...]:
    """The single statements of a script: `executescript` would commit between them."""
    found: list[str] = []
    lines: list[str] = []
    for line in script.splitlines():
        lines.append(line)
        if sqlite3.complete_statement("\n".join(lines)):
            found.append("\n".join(lines).strip())
            lines.clear()
    return tuple(found)
