"""The CONNECT handshake with an HTTP proxy (RFC 9110 section 9.3.6), and what a proxy's URL says."""

import asyncio
from base64 import b64encode
from typing import NamedTuple, Self, cast
from urllib.parse import unquote, urlsplit

from gateway.http.errors import UpstreamError

HEAD_BYTES = 65_536


class Proxy(NamedTuple):
    """An HTTP proxy: where it is, and the header line with its credentials, empty where it has none."""

    host: str
    port: int
    authorization: bytes

    @classmethod
    def of(cls, url: str) -> Self:
        """Read a URL that the settings have checked; user and password may be percent-encoded."""
        parts = urlsplit(url)
        line = b""
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            line = b"Proxy-Authorization: Basic " + b64encode(pair.encode())
        return cls(parts.hostname or "", parts.port or 80, line)

    @property
    def where(self) -> str:
        """For messages: without credentials."""
        return f"the proxy {self.host}:{self.port}"


class Handshake(asyncio.Protocol):
    """Asks for a connection through the proxy; `opened` holds its transport once the proxy has agreed."""

    def __init__(self, proxy: Proxy, target: bytes, loop: asyncio.AbstractEventLoop) -> None:
        self.opened: asyncio.Future[asyncio.Transport] = loop.create_future()
        self._proxy = proxy
        lines = [b"CONNECT %b HTTP/1.1" % target, b"Host: " + target]
        lines += [proxy.authorization] if proxy.authorization else []
        self._request = b"\r\n".join([*lines, b"", b""])
        self._answer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Wait for the end of the head. After agreeing, nothing may come before the other side has been spoken to."""
        self._answer += data
        head, end, rest = self._answer.partition(b"\r\n\r\n")
        if self.opened.done() or (not end and len(head) < HEAD_BYTES):
            return
        status = head.partition(b"\r\n")[0].split(b" ", 2)
        agreed = len(status) > 1 and status[1].startswith(b"2")
        if not end or len(status) < 2 or not status[0].startswith(b"HTTP/1.") or (agreed and rest):
            self._fail("gave no answer that can be understood")
        elif not agreed:
            said = b" ".join(status[1:]).decode("latin-1").strip()[:100]
            self._fail(f"refused: {said}" + (" (are its credentials right?)" if status[1] == b"407" else ""))
        else:
            self.opened.set_result(self._transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Without an answer."""
        if not self.opened.done():
            self._fail("closed the connection")

    def close(self) -> None:
        """Give up."""
        self._transport.abort()

    def _fail(self, what: str) -> None:
        self.opened.set_exception(UpstreamError("connect", f"{self._proxy.where} {what}"))
        self._transport.abort()
