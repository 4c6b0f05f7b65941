"""What SQLite's errors mean to an operator: a remedy for each."""

import sqlite3

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
_DUPLICATES = frozenset({"SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE"})


def remedy(error: sqlite3.Error) -> str | None:
    """What the operator can do about it; None where it is a mistake of this code."""
    name = _name(error)
    return next((text for beginning, text in REMEDIES if name.startswith(beginning)), None)


def is_duplicate(error: sqlite3.Error) -> bool:
    """Whether a row of the same key is there already."""
    return _name(error) in _DUPLICATES


def _name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", "")
