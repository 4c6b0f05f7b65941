"""What every process of the gateway sets up alike."""

import gc
import logging
import resource
import sys
from typing import Literal

from gateway.telemetry.lines import Sparing, formatter

# The path makes no cycles, but what it remembers of each request lets the defaults collect every hundred requests:
# a third of the processor time of a request, measured.
_GC_THRESHOLDS = (20_000, 20, 50)
_FILES = 65_536


def set_up_log(form: Literal["text", "json"] = "text") -> None:
    """One line an event, to standard error; called again, it changes the form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(form))
    handler.addFilter(Sparing())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def allow_many_files() -> None:
    """As many open files as this process may have: a stream takes two, and many systems begin at 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def quieten_collector() -> None:
    """Leave what a start has made to itself, and look at the rest less often."""
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
