"""Which registry: the file in a data folder, or a fleet's database."""

from pathlib import Path

from policies.errors import OperatorError
from policies.registry.sqlite import SqliteRegistry

FILE_NAME = "registry.db"


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
