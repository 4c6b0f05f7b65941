"""Which registry: the file in a data folder, or a fleet's database."""

from pathlib import Path

from policies.errors import OperatorError
from policies.registry.port import Registry
from policies.registry.sqlite import SqliteRegistry

FILE_NAME = "registry.db"


def open_registry(home: Path, database: str | None = None, *, create: bool = True, late: bool = False) -> Registry:
    """The registry of a data folder, or of a PostgreSQL database by its URL, to be entered with `async with`.

    With `create` the folder and the file are made where they are missing; a command that only looks passes False.
    With `late` a database need not be there yet: what is asked of it raises `AwayError` until it is.

    Raises:
        OperatorError: the folder can't be made, there is no registry in it, or the URL can't be used.
    """
    if create:
        _make(home)
    if database is not None:
        return _postgres(database, late=late)
    path = home / FILE_NAME
    if not create and not path.exists():
        raise OperatorError(f"{path}: there is no registry; start `evogate up`, or set EVOGATE_HOME to where it is")
    return SqliteRegistry(path, create=create)


def _make(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            f"{home}: can't be created ({error.strerror}); set EVOGATE_HOME to a folder of yours"
        ) from error


def _postgres(url: str, *, late: bool) -> Registry:
    try:
        from policies.registry.postgres import PostgresRegistry
    except ImportError as error:
        raise OperatorError(
            "registry.url: PostgreSQL needs the extra `postgres`: pip install 'evogate[postgres]'"
        ) from error
    return PostgresRegistry(url, late=late)
