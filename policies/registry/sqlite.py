"""The registry in one SQLite file: for one machine, shared by its gateway workers, evolver and command line."""

from pathlib import Path

from policies.errors import OperatorError
from policies.registry.sqlite_audit import SqliteAudit
from policies.registry.sqlite_candidates import SqliteCandidates
from policies.registry.sqlite_experiments import SqliteExperiments
from policies.registry.sqlite_leases import SqliteLeases
from policies.registry.sqlite_log import SqliteLog
from policies.registry.sqlite_memories import SqliteMemories
from policies.registry.sqlite_totals import SqliteTotals
from policies.registry.sqlite_versions import SqliteVersions

FILE_NAME = "registry.db"


class SqliteRegistry(
    SqliteVersions,
    SqliteCandidates,
    SqliteExperiments,
    SqliteTotals,
    SqliteMemories,
    SqliteLog,
    SqliteAudit,
    SqliteLeases,
):
    """`policies.registry.port.Registry` on SQLite; open it with `async with`."""


def open_registry(home: Path, *, create: bool = True) -> SqliteRegistry:
    """The registry of a data folder, to be entered with `async with`.

    With `create` the folder and the file are made where they are missing; a command that only looks passes False.

    Raises:
        OperatorError: the folder can't be made, or there is no registry in it.
    """
    path = home / FILE_NAME
    if create:
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OperatorError(
                f"{home}: can't be created ({error.strerror}); set EVOGATE_HOME to a folder of yours"
            ) from error
    elif not path.exists():
        raise OperatorError(f"{path}: there is no registry; start `evogate up`, or set EVOGATE_HOME to where it is")
    return SqliteRegistry(path, create=create)
