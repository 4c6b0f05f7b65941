"""Lists a page at a time: `limit` rows, and `after` the id of the last one that the caller has."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from aiohttp import web

from policies.errors import ClientError

T = TypeVar("T")
DEFAULT = 100
MOST = 1_000


def page(request: web.Request, rows: Sequence[T], name: str, key: Callable[[T], str]) -> dict[str, Any]:
    """A page of `rows` under `name`, and `next`: what `after` must be for the one behind it, null at the end.

    Raises:
        ClientError: `limit` is no number from 1 to `MOST`, or `after` names no row.
    """
    start, limit = _start(request, rows, key), _limit(request)
    found = rows[start : start + limit]
    more = start + limit < len(rows)
    return {name: found, "next": key(found[-1]) if more and found else None}


def _limit(request: web.Request) -> int:
    given = request.query.get("limit", str(DEFAULT))
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= MOST:
        raise ClientError(f"limit: '{given[:50]}' is no number from 1 to {MOST}")
    return int(given)


def _start(request: web.Request, rows: Sequence[T], key: Callable[[T], str]) -> int:
    after = request.query.get("after")
    if after is None:
        return 0
    for index, row in enumerate(rows):
        if key(row) == after:
            return index + 1
    raise ClientError(f"after: there is no '{after[:100]}' in this list; begin again without it")
