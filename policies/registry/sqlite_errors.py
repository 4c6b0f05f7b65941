"""What SQLite's errors mean to an operator: one line with the file and the remedy."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from policies.errors import OperatorError

# By the beginning of SQLite's own name of the error (https://sqlite.org/rescode.html), the first that fits.
REMEDIES: tuple[tuple[str, str], ...] = (
    ("SQLITE_NOTADB", "it is not an SQLite database; move it away, or set EVOGATE_HOME to another folder"),
    ("SQLITE_CORRUPT", "it is damaged; restore it from a copy, or move it away to begin anew"),
    ("SQLITE_CANTOPEN", "it can't be opened or created; check that its folder exists and is yours to write"),
    ("SQLITE_READONLY", "it is read-only; make the file and its folder writable for this user"),
    ("SQLITE_PERM", "access is denied; make the file and its folder writable for this user"),
    ("SQLITE_BUSY", "another process keeps it locked; find it (e.g. with `lsof`) and let it finish"),
    ("SQLITE_LOCKED", "another process keeps it locked; find it (e.g. with `lsof`) and let it finish"),
    ("SQLITE_FULL", "its disk is full; free some space"),
    ("SQLITE_IOERR", "its disk fails to read or write; check the disk and its free space"),
)


@contextmanager
def operator_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says about `path` into an `OperatorError`; mistakes of this code pass unchanged."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        for beginning, remedy in REMEDIES:
            if name.startswith(beginning):
                raise OperatorError(f"registry {path}: {remedy}") from error
        raise
