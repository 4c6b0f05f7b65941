"""When an upstream wants to be asked again: `retry-after-ms` (OpenAI), `retry-after` (RFC 9110, 10.2.3).

A value that is wrong, negative or in the past is as good as none: an upstream can't make us wait without saying for
how long.
"""

import math
from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime

from policies.resilience.troubles import Trouble


def status_trouble(status: int, headers: Iterable[tuple[bytes, bytes]], wall: float) -> Trouble:
    """The trouble of an answer with that status.

    Args:
        status: of the answer, 400 or above.
        headers: of the answer, names in any case.
        wall: Unix time in seconds, for dates.
    """
    found = {name.lower(): value for name, value in headers}
    said = found.get(b"x-should-retry", b"").strip().lower()
    return Trouble(
        "status",
        status,
        retry_after_s=retry_after_s(found.get(b"retry-after-ms"), found.get(b"retry-after"), wall),
        should_retry={b"true": True, b"false": False}.get(said),
    )


def retry_after_s(milliseconds: bytes | None, seconds: bytes | None, wall: float) -> float | None:
    """The wait in seconds, above 0; the finer header comes first."""
    wait = _number(milliseconds, 0.001)
    if wait is None:
        wait = _number(seconds, 1.0)
    if wait is None and seconds is not None:
        wait = _until(seconds, wall)
    return wait if wait is not None and wait > 0.0 else None


def _number(value: bytes | None, unit: float) -> float | None:
    try:
        number = float(value) * unit if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _until(value: bytes, wall: float) -> float | None:
    try:
        date = parsedate_to_datetime(value.decode("latin-1"))
        return date.replace(tzinfo=date.tzinfo or UTC).timestamp() - wall
    except (ValueError, OverflowError):
        return None
