"""Integers of more than 64 bits: orjson reads them as floating-point numbers, which would change what a client sent.

Such a body is rare, so telling it costs next to nothing: numbers are looked for only where there is something else
than text, and then by a run of digits in the bytes. It is read and written again by the slower, exact parser.
"""

import json
from typing import Any, Final

from policies.errors import ClientError

_EDGE: Final = 2.0**63  # from here on a float may have been a longer integer
_FLAT: Final = frozenset({str, int, bool, type(None)})
_DIGITS: Final = bytes(48 if 48 <= code <= 57 else 32 for code in range(256))
_RUN: Final = b"0" * 19  # the least digits of an integer that does not fit


def is_plain(body: dict[str, Any], plain: str | None) -> bool:
    """Whether no field but `plain` can hold a long integer: all are text, flags and numbers that fit."""
    for name, value in body.items():
        if type(value) not in _FLAT and name != plain and not (type(value) is float and -_EDGE < value < _EDGE):
            return False
    return True


def exact(raw: bytes) -> dict[str, Any] | None:
    """The body with every integer as it was sent; None where there are no long ones.

    Raises:
        ClientError: it can't be read exactly.
    """
    if _RUN not in raw.translate(_DIGITS):
        return None
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ClientError(f"the request's numbers can't be kept as they are: {error}") from error
    return value if type(value) is dict else None


def dumps(request: dict[str, Any]) -> bytes:
    """A request with long integers, as JSON."""
    return json.dumps(request, separators=(",", ":")).encode()
