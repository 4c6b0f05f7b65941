"""Hot reload: a changed file is validated whole, then handed over; a bad one leaves the old in force."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from config.loader import load
from config.settings import Settings
from policies.errors import OperatorError

Stamp = tuple[int, int, int] | None


def stamp(path: Path) -> Stamp:
    """What changes when the file does: inode (editors replace files), size, modification time in ns."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


class Watcher:
    """Looks at one file about once a second.

    `on_change` gets the new settings; `on_error` gets one message for each new stamp that is bad.
    """

    def __init__(
        self,
        path: Path,
        environ: Mapping[str, str],
        on_change: Callable[[Settings], None],
        on_error: Callable[[str], None],
        *,
        every_s: float = 1.0,
    ) -> None:
        self._path = path
        self._environ = environ
        self._on_change = on_change
        self._on_error = on_error
        self._every_s = every_s
        self._seen = stamp(path)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            self.look()

    def look(self) -> bool:
        """Reload if the file has changed since the last look; True if new settings were handed over.

        A file that is gone for a moment (being replaced) counts as unchanged.
        """
        current = stamp(self._path)
        if current is None or current == self._seen:
            return False
        self._seen = current
        return self.reload()

    def reload(self) -> bool:
        """Load now, changed or not."""
        try:
            settings = load(self._path, self._environ)
        except OperatorError as error:
            self._on_error(str(error))
            return False
        self._on_change(settings)
        return True
