"""What PostgreSQL's errors mean to an operator: a remedy for each."""

import psycopg

# By the beginning of the SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html), first come.
REMEDIES: tuple[tuple[str, str], ...] = (
    ("28", "access is denied; check user and password in registry.url, and the server's pg_hba.conf"),
    ("3D000", "there is no such database; create it with `createdb`, or correct registry.url"),
    ("3F000", "its search_path names no schema that is there; create one, or correct the user's search_path"),
    ("42P01", "its tables are gone; restore them from a copy, or restart EvoGate to begin anew"),
    ("42501", "the user of registry.url may not do this; make it the owner of the database"),
    ("25006", "it is read-only, a standby perhaps; name the primary in registry.url"),
    ("40", "writes of others came between; try again"),
    ("53100", "its disk is full; free some space"),
    ("53300", "it has no connection left; raise its max_connections"),
    ("53", "it is short of memory or another resource; look at its log"),
    ("55P03", "another process keeps it locked; find it in pg_stat_activity and let it finish"),
    ("57014", "it takes too long; look at its load and its locks"),
    ("57P", "it is starting, stopping or has crashed; wait, or look at its log"),
    ("58", "its disk fails to read or write; look at its log"),
    ("XX", "it is damaged, or fails by itself; look at its log"),
)
# A refusal to connect has no SQLSTATE of its own, but words, in English unless the server is set otherwise.
_REFUSALS: tuple[tuple[str, str], ...] = (
    ("authentication failed", "28"),
    ("no password supplied", "28"),
    ("pg_hba.conf", "28"),
    ("permission denied for database", "28"),
    ('FATAL: role "', "28"),
    ('FATAL: database "', "3D000"),
    ("too many clients", "53300"),
    ("connection slots are reserved", "53300"),
    ("too many connections", "53300"),
    ("the database system is", "57P"),
)


_PASSING = ("57P", "53300")  # a server that is there, and has no time for anybody


def remedy(error: psycopg.Error) -> str | None:
    """What the operator can do about it; None where it is a mistake of this code."""
    words, state = _words(error), _state(error)
    if state is not None:
        advice = next((text for beginning, text in REMEDIES if state.startswith(beginning)), None)
        return advice and f"{advice} ({words})"
    if isinstance(error, psycopg.OperationalError):
        return f"it can't be reached; start the server, or correct registry.url ({words})"
    return None


def is_away(error: psycopg.Error) -> bool:
    """Whether the server is out of reach, or too busy with itself, so that waiting may be all it takes."""
    state = _state(error)
    return state.startswith(_PASSING) if state is not None else isinstance(error, psycopg.OperationalError)


def _words(error: psycopg.Error) -> str:
    return " ".join(str(error).split())


def _state(error: psycopg.Error) -> str | None:
    words = _words(error)
    return error.sqlstate or next((state for refusal, state in _REFUSALS if refusal in words), None)
