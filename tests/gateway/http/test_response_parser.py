import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.errors import UpstreamError
from gateway.http.framing import Headers
from gateway.http.response_parser import HEAD_BYTES, ResponseParser
from tests.gateway.http.support import ok
from tests.gateway.http.test_request_parser import CUTS, split

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"


def parse(pieces: list[bytes], method: bytes = b"GET", *, eof: bool = False) -> tuple[int, Headers, bytes, bool, str]:
    """Status, headers, body, whether it is complete, and the kind of error or nothing."""
    parser = ResponseParser()
    parser.begin(method)
    kind = ""
    try:
        for piece in pieces:
            parser.feed(piece)
        if eof:
            parser.feed_eof()
    except UpstreamError as error:
        kind = error.kind
    return parser.status, parser.headers, parser.take(), parser.complete, kind


@pytest.mark.parametrize(
    ("data", "status", "body"),
    [
        (ok(b"abc"), 200, b"abc"),
        (CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: trailer\r\n\r\n", 200, b"abcde"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + ok(b"late"), 200, b"late"),
        (b"HTTP/1.1 429 \r\nContent-Length: 0\r\n\r\n", 429, b""),
    ],
)
def test_whole_answers(data: bytes, status: int, body: bytes) -> None:
    for pieces in ([data], [bytes([byte]) for byte in data]):
        found, _, text, complete, kind = parse(pieces)
        assert (found, text, complete, kind) == (status, body, True, "")


def test_the_head_is_as_it_came_without_hop_by_hop_and_interim_headers_and_trailers() -> None:
    data = b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + CHUNKED.replace(b"\r\n\r\n", b"\r\nx-B: 1\r\nX-b: 2\r\n\r\n")
    headers = parse([data + b"0\r\nX: y\r\n\r\n"])[1]
    assert headers == [(b"x-B", b"1"), (b"X-b", b"2")]


def test_without_a_length_the_close_is_the_end() -> None:
    assert parse([UNTIL_CLOSE, b"abc"])[3] is False
    assert parse([UNTIL_CLOSE, b"abc"], eof=True)[2:] == (b"abc", True, "")


@pytest.mark.parametrize(
    "data", [b"", b"HTTP/1.1 2", ok(b"abc")[:-1], CHUNKED, CHUNKED + b"3\r\nabc\r\n", CHUNKED + b"3\r\nabc\r\n0\r\n"]
)
def test_a_short_answer_is_an_error(data: bytes) -> None:
    assert parse([data], eof=True)[3:] == (False, "truncated")


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
        CHUNKED + b"zz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * (HEAD_BYTES + 1),
    ],
)
def test_what_is_no_answer(data: bytes) -> None:
    assert parse([data])[3:] == (False, "protocol")


@pytest.mark.parametrize(
    ("data", "reusable"),
    [
        (ok(), True),
        (ok(extra=b"Connection: close\r\n"), False),
        (ok().replace(b"1.1", b"1.0"), False),
        (ok() + b"HTTP", False),
        (ok(extra=b"Connection: close\r\n") + b"HTTP", False),
    ],
)
def test_what_may_be_reused(data: bytes, reusable: bool) -> None:
    parser = ResponseParser()
    parser.feed(data)
    assert (parser.complete, parser.reusable) == (True, reusable)


def test_bytes_in_a_later_read_spoil_reuse_too() -> None:
    parser = ResponseParser()
    parser.feed(ok())
    parser.feed(b"x")
    assert not parser.reusable


def test_an_answer_to_head_has_no_body_and_leaves_the_parser_fit() -> None:
    parser = ResponseParser()
    parser.begin(b"HEAD")
    parser.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    assert (parser.complete, parser.reusable, parser.take()) == (True, True, b"")
    parser.begin(b"GET")
    parser.feed(ok(b"next"))
    assert (parser.complete, parser.take()) == (True, b"next")


def test_a_body_behind_the_answer_to_head_spoils_reuse() -> None:
    parser = ResponseParser()
    parser.begin(b"HEAD")
    parser.feed(ok(b"body"))
    assert (parser.complete, parser.reusable, parser.take()) == (True, False, b"")


@given(
    st.sampled_from([ok(), CHUNKED, UNTIL_CLOSE, ok() + b"HTTP/1.1 ", b"HTTP/1.1 100 Continue\r\n\r\n", b""]),
    st.binary(max_size=100),
    CUTS,
    st.booleans(),
    st.sampled_from([b"GET", b"HEAD"]),
)
def test_no_input_crashes_and_any_split_gives_the_same(
    start: bytes, noise: bytes, cuts: list[int], eof: bool, method: bytes
) -> None:
    data = start + noise
    assert parse(split(data, cuts), method, eof=eof) == parse([data], method, eof=eof)
