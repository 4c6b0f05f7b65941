"""Bringing to the disk what the page cache holds."""

import os
from collections.abc import Callable


class Sync:
    """One `fdatasync` for each file that needs it. Closes its descriptors, whatever comes of it."""

    def __init__(self, descriptors: list[int]) -> None:
        self._descriptors = descriptors

    def __call__(self) -> None:
        """Do it.

        Raises:
            OSError: what was written may not be on the disk, and trying again can't tell.
        """
        try:
            for descriptor in self._descriptors:
                _fdatasync(descriptor)
        finally:
            for descriptor in self._descriptors:
                os.close(descriptor)


_fdatasync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync
