"""numpy as `np`, loaded with the first thing that is computed with it.

It takes a process 13 to 16 MB. A gateway has no use for it as long as none of its policies has challengers, a router, a
memory or learnt intents. Loading takes some 150 ms, so that whoever answers requests calls `load` in a thread before.

Neither this module nor those that take `np` from it may be compiled (deploy/compile.py): mypyc would take it for numpy.
"""

import sys
from typing import TYPE_CHECKING, Any

__all__ = ["load", "loaded", "np"]

if TYPE_CHECKING:
    import numpy as np
else:

    class _Numpy:
        """Stands for the module; what was asked for once is found without it."""

        def __getattr__(self, name: str) -> Any:
            import numpy

            found = getattr(numpy, name)
            setattr(self, name, found)
            return found

    np = _Numpy()


def loaded() -> bool:
    """Whether arrays are at hand without waiting."""
    return "numpy" in sys.modules


def load() -> None:
    """Have them at hand."""
    import numpy  # noqa: F401
