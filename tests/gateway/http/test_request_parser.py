from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.gateway import Limits
from gateway.http.messages import REASONS, Request
from gateway.http.request_parser import READ_BYTES, RequestParser
from tests.gateway.http.support import GET, post

LIMITS = Limits(header_bytes=1024, body_bytes=2048)
HOST = b"Host: here\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    "conflicting lengths": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    "a repeated length": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    "a list of lengths": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
    "a signed length": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400),
    "an empty length": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nabc", 400),
    "a length beyond counting": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n", 400),
    "a length and chunks": (CHUNKED[:-2] + b"Content-Length: 3\r\n\r\n0\r\n\r\n", 400),
    "chunks and a length": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunked twice": (CHUNKED[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "another coding": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "a coding that ends nowhere": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 501),
    "chunks in HTTP/1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a chunk size with a prefix": (CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", 400),
    "a negative chunk size": (CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n", 400),
    "a chunk size beyond counting": (CHUNKED + b"f" * 17 + b"\r\nabc\r\n0\r\n\r\n", 400),
    "a space behind a chunk size": (CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n", 400),
    "a chunk longer than its size": (CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n", 400),
    "bare LF in chunks": (CHUNKED + b"3\nabc\n0\n\n", 400),
    "a length in the trailers": (CHUNKED + b"0\r\nContent-Length: 3\r\n\r\n", 400),
    "a folded header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
    "a fold before the first header": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    "bare LF": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "bare LF behind a header": (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
    "bare LF at the end": (b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400),
    "bare CR": (b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400),
    "NUL in a header": (b"GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n", 400),
    "a control character in a header": (b"GET / HTTP/1.1\r\nHost: a\x01b\r\n\r\n", 400),
    "DEL in a header": (b"GET / HTTP/1.1\r\nHost: a\x7fb\r\n\r\n", 400),
    "a control character in the target": (b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a space before the colon": (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    "a header without a name": (b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400),
    "a target that is neither path nor URL": (
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".replace(b"OPTIONS", b"GET"),
        400,
    ),
    "a URL of another scheme": (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "HTTP/2 in the clear": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/2 by name": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "HTTP/0.9": (b"GET /\r\n\r\n", 505),
    "a tunnel": (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "a method of another protocol": (b"DESCRIBE / RTSP/1.0\r\nHost: a\r\n\r\n", 501),
    "an unknown method": (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "an unknown expectation": (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: a-pony\r\n\r\n", 417),
    "a declared body beyond the limit": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2049\r\n\r\n", 413),
    "a chunked body beyond the limit": (CHUNKED + b"900\r\n" + b"x" * 0x900 + b"\r\n0\r\n\r\n", 413),
    "a head beyond the limit": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 1024 + b"\r\n\r\n", 431),
    "chunks or not, in two headers": (CHUNKED[:-2] + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
    "chunks or not, in one header": (CHUNKED.replace(b"chunked", b"chunked, identity") + b"0\r\n\r\n", 400),
    "chunks behind another coding": (CHUNKED.replace(b"chunked", b"identity, chunked") + b"0\r\n\r\n", 501),
    "a coding that looks like chunks": (CHUNKED.replace(b"chunked", b"xchunked") + b"0\r\n\r\n", 501),
    "chunks in quotes": (CHUNKED.replace(b"chunked", b'"chunked"') + b"0\r\n\r\n", 501),
    "chunks with a parameter": (CHUNKED.replace(b"chunked", b"chunked;q=1") + b"0\r\n\r\n", 501),
    "chunks behind a vertical tab": (CHUNKED.replace(b" chunked", b"\x0bchunked") + b"0\r\n\r\n", 400),
    "a tab before the colon": (CHUNKED.replace(b"Encoding:", b"Encoding\t:") + b"0\r\n\r\n", 400),
    "a coding without a name": (CHUNKED.replace(b" chunked", b"") + b"0\r\n\r\n", 400),
    "a coding and a length": (CHUNKED.replace(b"chunked", b"cow")[:-2] + b"Content-Length: 3\r\n\r\nabc", 400),
    "a length in hexadecimal": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc", 400),
    "two lengths in one": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3 3\r\n\r\nabc", 400),
    "a length with an underscore": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n0123456789", 400),
    "a length in other digits": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \xd9\xa3\r\n\r\nabc", 400),
    "a chunk without a size": (CHUNKED + b"\r\nabc\r\n0\r\n\r\n", 400),
    "a chunk without an end": (CHUNKED + b"3\r\nabc0\r\n\r\n", 400),
    "a chunk that ends in LF": (CHUNKED + b"3\r\nabc\n0\r\n\r\n", 400),
    "a space before a chunk size": (CHUNKED + b" 3\r\nabc\r\n0\r\n\r\n", 400),
    "a signed chunk size": (CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n", 400),
    "a chunk size with an underscore": (CHUNKED + b"1_0\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n", 400),
    "LF in a chunk extension": (CHUNKED + b"3;a\nabc\r\n0\r\n\r\n", 400),
    "CR in a chunk extension": (CHUNKED + b"3;a\rb\r\nabc\r\n0\r\n\r\n", 400),
    "NUL in a chunk extension": (CHUNKED + b"3;a\x00\r\nabc\r\n0\r\n\r\n", 400),
    "a last chunk that ends in LF": (CHUNKED + b"0\n\r\n", 400),
    "trailers that end in LF": (CHUNKED + b"0\r\n\n", 400),
    "a trailer that ends in LF": (CHUNKED + b"0\r\nX: a\n\r\n", 400),
    "a coding in the trailers": (CHUNKED + b"0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "a folded trailer": (CHUNKED + b"0\r\nX: a\r\n b\r\n\r\n", 400),
    "a control character in a trailer": (CHUNKED + b"0\r\nX: a\x00\r\n\r\n", 400),
    "NUL in a name": (b"GET / HTTP/1.1\r\nHost: a\r\nX\x00Y: a\r\n\r\n", 400),
    "parentheses in a name": (b"GET / HTTP/1.1\r\nHost: a\r\nX(Y): a\r\n\r\n", 400),
    "a letter beyond ASCII in a name": (b"GET / HTTP/1.1\r\nHost: a\r\nX\xe9: a\r\n\r\n", 400),
    "a space before the method": (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a tab behind the method": (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a space in the target": (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a letter beyond ASCII in the target": (b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a fragment in the target": (b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a space behind the version": (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    "a version of three digits": (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
    "a method in small letters": (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a space in Host": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    "two hosts in one": (b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    "a user in Host": (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    "a path in Host": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "a port that is none": (b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400),
    "many small headers": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A:\r\n" * 400 + b"\r\n", 431),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
}


def parse(pieces: list[bytes], limits: Limits = LIMITS) -> tuple[list[Request], int]:
    """The requests, and the status of the refusal behind them or 0."""
    parser = RequestParser(limits, "peer")
    requests = [request for piece in pieces for request in parser.feed(piece)]
    return requests, parser.error.status if parser.error else 0


def one(data: bytes) -> Request:
    requests, status = parse([data])
    assert (len(requests), status) == (1, 0)
    return requests[0]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_alone_and_behind_a_good_request_and_byte_by_byte(name: str) -> None:
    data, status = REFUSED[name]
    assert status in REASONS
    assert parse([data]) == ([], status)
    requests, behind = parse([GET + data])
    assert ([r.method for r in requests], behind) == ([b"GET"], status)
    assert parse([bytes([byte]) for byte in data]) == ([], status)


def test_nothing_is_looked_at_behind_an_error() -> None:
    parser = RequestParser(LIMITS)
    assert parser.feed(b"nonsense\r\n\r\n") == []
    assert parser.feed(GET) == []


def test_a_request_as_it_came() -> None:
    request = one(b"POST /v1/x?a=1 HTTP/1.1\r\nhOST: here\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nhi")
    assert (request.method, request.target, request.path, request.body) == (b"POST", b"/v1/x?a=1", b"/v1/x", b"hi")
    assert request.headers == [(b"hOST", b"here"), (b"X-A", b"1"), (b"x-a", b"2"), (b"Content-Length", b"2")]
    assert (request.get(b"x-a"), request.get(b"x-b")) == (b"1", None)
    assert (request.http_version, request.keep_alive, request.peer) == ("1.1", True, "peer")


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
    ],
)
def test_whether_the_connection_lives_on(head: bytes, keep_alive: bool) -> None:
    requests, status = parse([head + b"whatever"]) if not keep_alive else parse([head])
    assert ([r.keep_alive for r in requests], status) == ([keep_alive], 0)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://here/v1/x?q", b"/v1/x?q"),
        (b"HTTPS://here", b"/"),
        (b"http://here?q=1", b"/?q=1"),
        (b"http://u@[::1]:80/p", b"/p"),
    ],
)
def test_a_target_in_absolute_form_is_its_path(target: bytes, path: bytes) -> None:
    assert one(b"GET %b HTTP/1.1\r\nHost: here\r\n\r\n" % target).target == path


@pytest.mark.parametrize(
    "host", [b"api.example", b"api.example:8800", b"127.0.0.1", b"[::1]:80", b"[fe80::1%25eth0]", b"", b"my_host:"]
)
def test_hosts_of_all_kinds(host: bytes) -> None:
    assert one(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host).get(b"host") == host


def test_chunks_are_joined_extensions_and_trailers_dropped() -> None:
    request = one(CHUNKED + b'3;a="b"\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n')
    assert (request.body, request.get(b"x-trailer")) == (b"abcde", None)
    assert len(request.headers) == 2


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 5\r\n\r\nabcde", b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"]
)
def test_an_offer_to_upgrade_is_ignored_and_the_body_is_not_lost(framing: bytes) -> None:
    """Java's HttpClient offers h2c on every request in the clear."""
    head = b"POST /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    for pieces in ([head + framing + GET], [bytes([byte]) for byte in head + framing + GET]):
        requests, status = parse(pieces)
        assert [(r.method, r.target, r.body) for r in requests] == [(b"POST", b"/a", b"abcde"), (b"GET", b"/", b"")]
        assert status == 0


def test_an_expectation_is_told_once_and_only_before_the_body() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n"
    parser = RequestParser(LIMITS)
    parser.feed(head)
    assert [parser.take_expectation(), parser.take_expectation()] == [True, False]
    parser = RequestParser(LIMITS)
    parser.feed(head + b"a")
    assert not parser.take_expectation()
    parser = RequestParser(LIMITS)
    parser.feed(head.replace(b"1.1", b"1.0"))
    assert not parser.take_expectation()


def test_a_head_without_an_end_is_refused_before_it_fills_memory() -> None:
    parser = RequestParser(LIMITS)
    fed = 0
    while parser.error is None:
        parser.feed(b"GET / HTTP/1.1\r\nX: " if not fed else b"x" * 100)
        fed += 100
        assert fed < 4 * LIMITS.header_bytes
    assert parser.error.status == 431


def test_chunks_that_are_mostly_framing_are_refused() -> None:
    parser = RequestParser(Limits())
    parser.feed(CHUNKED)
    fed = 0
    while parser.error is None and fed < 10 * READ_BYTES:
        parser.feed(b"1;" + b"x" * 1000 + b"\r\na\r\n")
        fed += 1000
    assert parser.error is not None
    assert parser.error.status == 400


def test_a_pipelined_head_behind_a_large_body_is_not_mistaken_for_a_large_head() -> None:
    first = post(b"x" * 2000)
    requests, status = parse([first[:30], first[30:] + GET[:10], GET[10:]])
    assert ([r.method for r in requests], status) == ([b"POST", b"GET"], 0)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


BODIES = st.binary(max_size=64)
MESSAGES = st.one_of(
    st.just(GET),
    BODIES.map(post),
    st.lists(BODIES.filter(len), max_size=4).map(
        lambda pieces: CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    ),
    st.sampled_from([data for data, _ in REFUSED.values()]),
)
CUTS = st.lists(st.integers(0, 1 << 16), max_size=8)


@given(st.lists(MESSAGES, max_size=4), CUTS)
def test_any_split_gives_the_same(messages: list[bytes], cuts: list[int]) -> None:
    data = b"".join(messages)
    assert parse(split(data, cuts)) == parse([data])


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nHost: a\r\n", CHUNKED]),
    CUTS,
)
@example(b"\r\n\r\n", b"", [])
def test_no_input_crashes_and_any_split_gives_the_same(noise: bytes, start: bytes, cuts: list[int]) -> None:
    data = start + noise
    assert parse(split(data, cuts)) == parse([data])
