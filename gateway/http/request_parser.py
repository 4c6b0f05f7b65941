"""Requests out of bytes: strict where leniency would let two parsers disagree (RFC 9112, request smuggling).

1. Any split of the bytes gives the same requests. (But for heads that are mostly white space: what llhttp skips is only
   seen in the size of whole reads.)
2. Any input gives requests, or requests and then one HttpError; nothing after the error is looked at.
3. llhttp refuses bad framing itself: conflicting or repeated lengths, length beside chunks, bad chunk sizes, folded
   lines, bare CR or LF, control characters. Checked here: versions, methods, targets, Host, transfer codings, sizes.
4. A request whose body is not whole when its head is comes out at once where `passes` says so, with an Incoming that
   takes in the rest; all others when they are whole.
5. A WebSocket's offer to upgrade is the last request: what follows is kept as it is in `rest`. Any other offer is
   ignored, as RFC 9110 section 7.8 allows. llhttp stops there, so parsing begins anew behind it.
"""

import re
from typing import Literal

import httptools

from config.gateway import Limits
from gateway.http.framing import Headers
from gateway.http.incoming import Incoming
from gateway.http.known_heads import KnownHead, KnownHeads
from gateway.http.messages import HttpError, Passes, Request

METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
VERSIONS = frozenset({"1.0", "1.1"})
# Chunk sizes, extensions and trailers may take this much of the wire per byte of body, beyond the size of a head.
CHUNK_OVERHEAD = 8
FIELD_OVERHEAD = 4  # of a header on the wire, beyond name and value
READ_BYTES = 262_144  # the most that one read of the event loop brings


_HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+;=-]*(:[0-9]*)?|\[[0-9A-Za-z:.%_-]+\](:[0-9]*)?")  # RFC 3986, section 3.2

Stage = Literal["idle", "head", "body"]


class RequestParser:
    """The parser of one connection."""

    def __init__(
        self, limits: Limits, peer: str = "", known: KnownHeads | None = None, passes: Passes | None = None
    ) -> None:
        self.error: HttpError | None = None
        self.stage: Stage = "idle"  # of the request that is not yet complete
        self.incoming: Incoming | None = None  # the rest of a request that has gone out
        self.rest = b""  # what came behind an offer to switch protocols
        self._limits = limits
        self._peer = peer
        self._known_heads = known or KnownHeads(limits.header_bytes, limits.body_bytes)
        self._known: KnownHead | None = None  # the head that will probably come again
        self._unknown = 0  # heads that were not that one
        self._llhttp = httptools.HttpRequestParser(self)
        self._ready: list[Request] = []
        self._request: Request | None = None  # set once its head is complete
        self._headers: Headers = []
        self._target = b""
        self._body: bytes | bytearray = b""
        self._passes = passes
        self._passing = False  # the present request's body may go on as it arrives
        self._received = 0  # bytes of the body that have gone on
        self._wire = 0  # bytes of reads that the present head, or chunked body, has taken; rounded down to whole reads
        self._chunked = False
        self._expects = False
        self._last = False  # a request asked to close: bytes behind it are nobody's
        self._upgrade = False
        self._switching = False
        self._resuming = False

    def take_expectation(self) -> bool:
        """Whether the client waits for `100 Continue` now; says so once per request."""
        expects, self._expects = self._expects, False
        return expects and not self._body

    def feed(self, data: bytes) -> list[Request]:
        """The requests that `data` completes. After `error` is set, nothing more comes."""
        error = self.error  # by another name: what follows may set it, which no type checker sees
        if error is not None or self._last:
            if self._switching:
                self.rest += data
            return []
        before = self.stage
        if before == "idle" and self._known is not None:
            request = self._known.recall(data, self._peer)
            if request is not None:
                return [request]
        self._parse(data)
        if before != "idle" and self.stage != "idle" and self.error is None and not self._ready:
            self._wire += len(data)
            self._check_wire()
        if self._passing and self._request is not None:
            self._pass_on(self._request)
        ready, self._ready = self._ready, []
        if before == "idle" and len(ready) == 1 and ready[0].incoming is None:
            self._learn(data, ready[0])
        return ready

    def _pass_on(self, request: Request) -> None:
        """The body is not whole: what has come of it goes on."""
        incoming = self.incoming
        if incoming is None:
            length = request.index.get(b"content-length")
            incoming = self.incoming = request.incoming = Incoming(int(length) if length is not None else None)
            self._ready.append(request)
        if self._body:
            self._expects = False
            self._received += len(self._body)
            incoming.push(bytes(self._body))
            self._body = b""

    def _learn(self, data: bytes, request: Request) -> None:
        """Remember a head, more and more rarely where heads turn out to be new each time, as with trace ids in them."""
        self._unknown += 1
        if self._unknown & (self._unknown - 1) == 0:
            self._known = self._known_heads.learn(data, request)

    def _parse(self, data: bytes) -> None:
        try:
            self._llhttp.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if self._switching:
                self.rest = rest
            else:
                self._resume(rest)
        except httptools.HttpParserCallbackError as error:
            if self.error is None:  # a fault in a callback, not in the request
                raise
            self.error.__cause__ = error.__context__
        except httptools.HttpParserError as error:
            if not self._last:
                self.error = HttpError(400, f"the request is not valid HTTP/1.1: {error}")

    def _resume(self, rest: bytes) -> None:
        """Go on behind a head that offers an upgrade, with a parser told of the body's framing and nothing else."""
        assert self._request is not None
        self._llhttp = httptools.HttpRequestParser(self)
        framing = b"".join(
            b"%b: %b\r\n" % (name, value)
            for name, value in self._request.index.items()
            if name in {b"content-length", b"transfer-encoding"}
        )
        close = b"" if self._request.keep_alive else b"Connection: close\r\n"
        self._resuming = True
        self._parse(b"POST / HTTP/1.1\r\n" + framing + close + b"\r\n" + rest)

    def _check_wire(self) -> None:
        room = self._limits.header_bytes
        if self._request is None:
            if self._wire > 2 * room:  # at most half of it can be missing from the size that is known at its end
                self._refuse(431, self._long_head())
        elif self._chunked and self._wire > room + READ_BYTES + CHUNK_OVERHEAD * (self._received + len(self._body)):
            self._refuse(400, "the chunks carry far more framing than data")

    def _refuse(self, status: int, message: str) -> HttpError:
        self._request = None
        self.error = HttpError(status, message)
        return self.error

    # What follows is called by llhttp; an error raised there stops it.

    def on_message_begin(self) -> None:
        """A request line may follow."""
        if self._resuming:
            return
        self.stage = "head"
        self._request = None
        self._headers = []
        self._target = self._body = b""
        self._wire = self._received = 0
        self._passing = False

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        if not self._resuming:
            self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; those behind a chunked body are dropped, as RFC 9110 section 6.5.1 recommends."""
        if self._request is None:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole: everything that can be refused without the body is refused now."""
        if self._resuming:
            self._resuming = False
            return
        llhttp = self._llhttp
        size = len(self._target)
        index: dict[bytes, bytes] = {}
        for name, value in self._headers:
            size += len(name) + len(value) + FIELD_OVERHEAD
            index.setdefault(name.lower(), value)
        method, version = llhttp.get_method(), llhttp.get_http_version()
        self._check_head(method, version, index, size)
        if b"#" in self._target:
            raise self._refuse(400, "the request target has a fragment")
        if not self._target.startswith(b"/"):
            self._target = self._origin_form(method)
        self._upgrade = llhttp.should_upgrade()
        self._chunked = b"transfer-encoding" in index
        self._expects = b"expect" in index and version == "1.1"
        self.stage = "body"
        self._wire = 0
        self._request = Request(
            method, self._target, self._headers, b"", version, llhttp.should_keep_alive(), self._peer, index
        )
        self._passing = self._passes is not None and self._passes(self._request)
        self._check_size(int(index.get(b"content-length", b"0")))
        if self._upgrade and self._is_websocket(method, version, index):
            self._upgrade, self._switching = False, True
            self._request.upgrade = index[b"upgrade"]
            self._request.keep_alive = False

    def _check_head(self, method: bytes, version: str, index: dict[bytes, bytes], size: int) -> None:
        if version not in VERSIONS:
            raise self._refuse(505, f"HTTP/{version} is not spoken here; use HTTP/1.1")
        if method not in METHODS:
            raise self._refuse(501, f"the method {method.decode()} is not served here")
        if size > self._limits.header_bytes:
            raise self._refuse(431, self._long_head())
        if len(index) != len(self._headers):
            self._check_host_is_single()
        host = index.get(b"host")
        if host is None and version == "1.1":
            raise self._refuse(400, "the request has no Host header")
        if host is not None and not _HOST.fullmatch(host):
            raise self._refuse(400, "the Host header is neither a name nor an address")
        self._check_framing(version, index)

    def _check_framing(self, version: str, index: dict[bytes, bytes]) -> None:
        coding = index.get(b"transfer-encoding")
        if coding is not None and coding.strip().lower() != b"chunked":
            raise self._refuse(501, "the only transfer coding accepted here is chunked")
        if coding is not None and version == "1.0":
            raise self._refuse(400, "HTTP/1.0 has no Transfer-Encoding")
        if b"expect" in index and index[b"expect"].lower() != b"100-continue":
            raise self._refuse(417, "the only expectation known here is 100-continue")

    def _is_websocket(self, method: bytes, version: str, index: dict[bytes, bytes]) -> bool:
        bodiless = not self._chunked and index.get(b"content-length", b"0") == b"0"
        return method == b"GET" and version == "1.1" and bodiless and index[b"upgrade"].lower() == b"websocket"

    def _origin_form(self, method: bytes) -> bytes:
        """The path of a target in absolute form (RFC 9112 section 3.2.2)."""
        scheme, separator, rest = self._target.partition(b"://")
        if self._target == b"*" and method == b"OPTIONS":
            return self._target
        if not separator or scheme.lower() not in {b"http", b"https"}:
            raise self._refuse(400, "the request target is neither a path nor a URL")
        authority = rest.partition(b"/")[0].partition(b"?")[0]
        path = rest[len(authority) :]
        return path if path.startswith(b"/") else b"/" + path

    def _check_host_is_single(self) -> None:
        if sum(name.lower() == b"host" for name, _ in self._headers) > 1:
            raise self._refuse(400, "the request has more than one Host header")

    def _long_head(self) -> str:
        return f"the head is larger than {self._limits.header_bytes} bytes, the gateway's limits.header_bytes"

    def _check_size(self, size: int) -> None:
        limits = self._limits
        name, most = ("upload", limits.upload_bytes) if self._passing else ("body", limits.body_bytes)
        if size > most:
            raise self._refuse(413, f"the body is larger than {most} bytes, the gateway's limits.{name}_bytes")

    def on_body(self, data: bytes) -> None:
        """A piece of the body. One piece is kept as it is; many are gathered in one buffer."""
        if not self._body:
            self._body = data
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += data
        self._check_size(self._received + len(self._body))

    def on_message_complete(self) -> None:
        """The request is whole."""
        request = self._request
        assert request is not None
        if self._upgrade:  # llhttp says so behind the head, whatever the body's framing
            self._upgrade = False
            return
        self._expects = False
        self._last = not request.keep_alive
        self._request = None
        self.stage = "idle"
        if self.incoming is None:
            request.body = bytes(self._body)
            self._ready.append(request)
            return
        self.incoming.push(bytes(self._body))
        self.incoming.finish()
        self.incoming = None
