"""The data folder's secret."""

import contextlib
import os
from pathlib import Path

from policies.errors import OperatorError

SECRET_BYTES = 32


def secret(home: Path) -> bytes:
    """32 bytes, made at first use: they key unit hashes and salts, in every worker alike.

    Raises:
        OperatorError: it can't be read or written, or has a wrong length.
    """
    path = home / "secret"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        value = path.read_bytes()
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}; set EVOGATE_HOME to a folder of yours") from error
    if len(value) != SECRET_BYTES:
        raise OperatorError(
            f"{path}: holds {len(value)} bytes, not {SECRET_BYTES}; restore it, or remove it to begin anew"
        )
    return value


def _make(path: Path) -> None:
    """Whoever is first makes it, and nobody ever sees a part of it."""
    partial = path.with_name(f".secret.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(os.urandom(SECRET_BYTES))
    with contextlib.suppress(FileExistsError):
        os.link(partial, path)
    partial.unlink()
