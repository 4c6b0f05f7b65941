import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http import framing
from gateway.http.response_parser import ResponseParser

TOKEN = st.text("abcXYZ0189-_", min_size=1, max_size=12).map(lambda t: b"x-" + t.encode())
VALUE = st.binary(max_size=20).map(lambda v: bytes(b for b in v if b > 32 and b != 127))


def test_end_to_end_drops_what_belongs_to_the_connection_and_what_it_names() -> None:
    headers = [
        (b"Date", b"now"),
        (b"CONNECTION", b"close, X-Private"),
        (b"x-private", b"1"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Set-Cookie", b"a"),
        (b"set-cookie", b"b"),
        (b"Content-Length", b"3"),
    ]
    assert framing.end_to_end(headers) == [headers[0], headers[4], headers[5], headers[6]]


def test_end_to_end_leaves_clean_headers_as_they_are() -> None:
    headers = [(b"B", b"2"), (b"a", b"1"), (b"B", b"3")]
    assert framing.end_to_end(headers) == headers


def test_a_response_head_keeps_order_case_and_the_place_of_the_length() -> None:
    headers = [(b"X-b", b"1"), (b"content-LENGTH", b"999"), (b"Connection", b"upgrade"), (b"x-A", b"2")]
    head = framing.response(200, headers, length=5, extra=(framing.CLOSE,))
    assert head == b"HTTP/1.1 200 OK\r\nX-b: 1\r\ncontent-LENGTH: 5\r\nx-A: 2\r\nConnection: close\r\n\r\n"


def test_an_unknown_status_has_an_empty_reason() -> None:
    assert framing.response(299, [], length=None) == b"HTTP/1.1 299 \r\n\r\n"


def test_a_request_head_has_the_upstreams_host_and_the_bodys_own_length() -> None:
    headers = [(b"Host", b"client"), (b"Content-Length", b"1"), (b"content-length", b"1"), (b"X", b"y")]
    head = framing.request(b"POST", b"/v1/x?y=1", b"Host: api", headers, length=10)
    assert head == b"POST /v1/x?y=1 HTTP/1.1\r\nHost: api\r\nContent-Length: 10\r\nX: y\r\n\r\n"
    assert b"ength" not in framing.request(b"GET", b"/", b"Host: api", headers, length=None)


@pytest.mark.parametrize(("data", "bytes_sent"), [(b"", b""), (b"a" * 17, b"11\r\n" + b"a" * 17 + b"\r\n")])
def test_chunks(data: bytes, bytes_sent: bytes) -> None:
    assert framing.chunk(data) == bytes_sent


def test_an_error_body_has_all_four_keys() -> None:
    body = json.loads(framing.envelope('no "x"', "invalid_request_error"))
    assert body == {"error": {"message": 'no "x"', "type": "invalid_request_error", "param": None, "code": None}}


@given(st.lists(st.tuples(TOKEN, VALUE), max_size=6), st.lists(st.binary(max_size=40), max_size=5))
def test_what_is_framed_is_what_a_parser_finds(headers: framing.Headers, pieces: list[bytes]) -> None:
    parser = ResponseParser()
    parser.feed(framing.response(200, headers, length=None, extra=(framing.CHUNKED,)))
    parser.feed(b"".join(map(framing.chunk, pieces)) + framing.LAST_CHUNK)
    assert parser.headers[: len(headers)] == headers
    assert (parser.take(), parser.complete, parser.reusable) == (b"".join(pieces), True, True)
