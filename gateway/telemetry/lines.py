"""Log lines: one for each event, for people or as one JSON object.

1. One line, whatever there is to say: line ends inside it are escaped, an exception is its type and where it came from.
2. No bodies and no secrets: of exceptions only those speak that the project or the operating system has made. The text
   of any other may quote what it choked on.
3. What a line is about stands in its fields (`extra={"fields": {...}}`), a request's id among them.
4. Lines about requests are at most `PER_S` a second; the next one that passes says how many were left out.
"""

import logging
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import orjson

from policies.errors import EvoGateError

if TYPE_CHECKING:
    from gateway.pipeline.exchange import Exchange
    from gateway.pipeline.receiver import Server
    from gateway.pipeline.settle import Settled

PER_S = 100
REQUESTS = "evogate.requests"


def failed(request_id: str, **fields: Any) -> None:
    """Say that a request failed, in values of ours: classes, names, numbers."""
    logging.getLogger(REQUESTS).warning("request failed", extra={"fields": {"request_id": request_id, **fields}})


def covered_failed(exchange: "Exchange", courier: "Server", done: "Settled") -> None:
    """Say so of a request that a policy covers."""
    plan, route = exchange.plan, courier.rendered.target.route
    failed(
        exchange.id,
        policy=plan.view.name,
        role=plan.arm.role,
        version=plan.arm.version,
        failure=done.failure,
        status=done.status,
        upstream=route.name if route is not None else "",
        attempts=done.attempts,
        ms=round(done.last_byte_ms, 1),
    )


def formatter(form: Literal["text", "json"]) -> logging.Formatter:
    """One of the two."""
    return _JsonLines() if form == "json" else _TextLines()


class _TextLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = _when(record).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        said = _on_one_line(record.getMessage())
        pairs = "".join(f" {name}={_shown(value)}" for name, value in _fields(record).items())
        return f"{when} {record.levelname} {record.name} {said}{pairs}"


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": _when(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class Sparing(logging.Filter):
    """Lets at most `PER_S` lines about requests pass in a second of `clock`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._second = -1
        self._passed = 0
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it may pass."""
        if record.name != REQUESTS:
            return True
        second = int(self._clock())
        if second != self._second:
            self._second, self._passed = second, 0
        if self._passed >= PER_S:
            self._left_out += 1
            return False
        self._passed += 1
        if self._left_out:
            record.__dict__["fields"] = {**record.__dict__.get("fields", {}), "left_out_before": self._left_out}
            self._left_out = 0
        return True


def _when(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = dict(record.__dict__.get("fields", {}))
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        found["error"] = type(error).__name__
        if isinstance(error, EvoGateError | OSError):
            found["reason"] = str(error)
        found["raised_at"] = _path(record.exc_info[2] or error.__traceback__)
    return found


def _path(where: TracebackType | None) -> str:
    """Innermost first, as `file:line`."""
    frames = traceback.extract_tb(where)
    return " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames))


def _on_one_line(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _shown(value: Any) -> str:
    """A value in a line of text: in quotes where it is not one word."""
    text = str(value)
    return text if text.isprintable() and text and not {" ", '"', "="} & set(text) else orjson.dumps(text).decode()
