"""How answers go out: in one write, paced like a model writes, or broken on purpose."""

import asyncio
from collections.abc import Mapping, Sequence

from aiohttp import web

from gateway.sandbox.apis import Event
from gateway.sandbox.faults import Fault

JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
_PACE_S = 0.004  # tokens are sent in groups that take about as long as timers are good for
_PAUSE_S = 2.0
_MALFORMED = b'data: {"id": "chatcmpl-1", "choices": [{"del\n\n'
FAILED = "The server had an error while processing your request."


class Broken(web.StreamResponse):
    """Bytes that go out as they are, past aiohttp's framing; then the connection ends."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self._raw = raw

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write the bytes and hang up: politely after bytes, with a reset without."""
        transport = request.transport
        if isinstance(transport, asyncio.Transport):
            if self._raw:
                transport.write(self._raw)
                transport.close()
            else:
                transport.abort()

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to be said."""


def whole(body: bytes, headers: Mapping[str, str], fault: Fault | None, failed: bytes) -> web.StreamResponse:
    """An answer that is not streamed, in one write; `failed` is the error that can stand in its place."""
    kind = fault.kind if fault else ""
    if kind in ("cut", "wrong_length"):
        return Broken(_short(body, headers, fault))
    if kind == "malformed":
        body = body[: len(body) // 2]
    elif kind == "stream_error":
        body = failed
    return web.Response(body=body, headers={**headers, **JSON})


def _short(body: bytes, headers: Mapping[str, str], fault: Fault | None) -> bytes:
    """A head that promises more than follows."""
    missing, sent = 0, body[: len(body) // 2]
    if fault is not None and fault.kind == "wrong_length":
        missing, sent = int(fault.argument or 32), body
    lines = [f"{name}: {value}" for name, value in {**headers, **JSON}.items()]
    head = "\r\n".join(["HTTP/1.1 200 OK", *lines, f"content-length: {len(body) + missing}", "", ""])
    return head.encode("latin-1") + sent


def broken_events(events: list[Event], fault: Fault, failed: bytes) -> list[Event]:
    """The events of a stream that is to fail in the way of its content; `failed` is its error event."""
    middle = max(1, len(events) // 2)
    if fault.kind == "malformed":
        return [*events[:middle], Event(_MALFORMED, 0), *events[middle:]]
    if fault.kind == "stream_error":
        return [*events[:middle], Event(failed, 0)]
    if fault.kind == "no_done":
        return events[:-1]
    if fault.kind == "cut":
        return events[:middle]
    return events


async def stream(
    request: web.Request,
    events: Sequence[Event],
    headers: Mapping[str, str],
    *,
    first_token_s: float,
    token_s: float,
    fault: Fault | None = None,
) -> web.StreamResponse:
    """Send events as tokens become due; all in one write where nothing is to be waited for."""
    cut = fault is not None and fault.kind == "cut"
    pause_s = (fault.argument or _PAUSE_S) if fault is not None and fault.kind == "slow_stream" else 0.0
    if not (first_token_s or token_s or cut or pause_s):
        response = web.Response(body=b"".join(event.data for event in events), headers={**headers, **EVENTS})
        response.enable_chunked_encoding()
        return response
    await asyncio.sleep(first_token_s)
    paced = web.StreamResponse(headers={**headers, **EVENTS})
    await paced.prepare(request)
    await _pace(paced, events, token_s, pause_s)
    if cut and isinstance(request.transport, asyncio.Transport):
        request.transport.close()
    return paced


async def _pace(response: web.StreamResponse, events: Sequence[Event], token_s: float, pause_s: float) -> None:
    waiting, due = bytearray(), 0.0
    for place, event in enumerate(events):
        due += event.tokens * token_s
        if pause_s and place == len(events) // 2:
            due += pause_s
        if due >= _PACE_S:
            if waiting:
                await response.write(bytes(waiting))
                waiting.clear()
            await asyncio.sleep(due)
            due = 0.0
        waiting += event.data
    await response.write(bytes(waiting))
