"""Upstream answers out of bytes. A body that ends before its framing says so is an error, never a shorter answer.

1. Any split of the bytes gives the same head and the same body.
2. Any input gives an answer, a part of one, or one UpstreamError of kind "protocol" or "truncated".
3. Interim answers (1xx) are skipped; a switch of protocols (101) is the end if it was asked for, or else an error.
4. Bytes behind a complete answer make the connection unfit for reuse.
"""

from typing import Final

import httptools

from gateway.http.errors import UpstreamError
from gateway.http.framing import Headers, has_no_body, survey

HEAD_BYTES: Final = 262_144


class ResponseParser:
    """The parser of one connection; `begin` for every request on it, then `feed` and `take`."""

    def __init__(self) -> None:
        self._llhttp = httptools.HttpResponseParser(self)
        self.begin(b"GET")

    def begin(self, method: bytes, *, upgrade: bool = False) -> None:
        """A request was sent: forget the answer before."""
        self.status: int = 0  # 0 until the head is whole
        self.headers: Headers = []  # once the head is whole: those that travel on
        self.content_type = b""  # empty where absent
        self.complete: bool = False
        self.untouched = True  # no byte of an answer has come
        self.reusable = False  # known once complete
        self.rest = b""  # what came behind a switch of protocols
        self._upgrade = upgrade
        self._without_body = method == b"HEAD"
        self._pieces: list[bytes] = []
        self._until_close = False
        self._head_bytes = 0

    def feed(self, data: bytes) -> None:
        """Take in bytes of the connection.

        Raises:
            UpstreamError: the bytes are no answer.
        """
        self.untouched = False
        if self.complete:
            self.reusable = False
            return
        in_head = not self.status
        try:
            self._llhttp.feed_data(data)
        except httptools.HttpParserUpgrade as switched:
            if self.status == 101:
                self.rest = data[switched.args[0] :]
                return
            raise UpstreamError("protocol", "the upstream switched protocols without being asked") from None
        except httptools.HttpParserError as error:
            self._refuse(error)
        if in_head and not self.status:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                raise UpstreamError("protocol", f"the upstream's head is larger than {HEAD_BYTES} bytes")

    def _refuse(self, error: httptools.HttpParserError) -> None:
        if not self.complete:
            raise UpstreamError("protocol", f"the upstream's answer is not valid HTTP/1.1: {error}") from None
        self.reusable = False

    def feed_eof(self) -> None:
        """The upstream closed its side.

        Raises:
            UpstreamError: the answer is not whole.
        """
        if self.complete:
            return
        if not self._until_close:
            where = "in the body" if self.status else "before the answer" if self.untouched else "in the head"
            raise UpstreamError("truncated", f"the upstream closed the connection {where}")
        self.complete = True

    @property
    def whole(self) -> bool:
        """Whether what came so far is a complete answer of a kind that has a body."""
        return self.complete and not self._without_body and not has_no_body(self.status)

    def take(self) -> bytes:
        """The body's bytes since the last call."""
        pieces = self._pieces
        if not pieces:
            return b""
        self._pieces = []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    # What follows is called by llhttp.

    def on_message_begin(self) -> None:
        """Another answer where one was asked for makes the connection unfit."""
        if self.complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; trailers are dropped."""
        if not self.status:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole, unless it is an interim one."""
        if self.complete:
            return
        status = self._llhttp.get_status_code()
        if 100 <= status < 200 and not (status == 101 and self._upgrade):
            self.headers = []
            return
        self.status = status
        self.reusable = self._llhttp.should_keep_alive()
        self.headers, self.content_type, length, coding = survey(self.headers)
        if self._without_body:  # llhttp can't be told, so its parser is spent
            self._llhttp = httptools.HttpResponseParser(self)
            self.complete = True
        else:
            framed = length is not None if not coding else coding.lower().rpartition(b",")[2].strip() == b"chunked"
            self._until_close = not framed and not has_no_body(status)  # RFC 9112 section 6.3

    def on_body(self, data: bytes) -> None:
        """A piece of the body; a body where none may be makes the connection unfit."""
        if self.complete:
            self.reusable = False
        else:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        """The answer is whole, unless it was an interim one."""
        if self.status:
            self.complete = True
