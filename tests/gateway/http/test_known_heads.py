import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.gateway import Limits
from gateway.http.known_heads import HEAD_BYTES, KEPT, KnownHeads
from gateway.http.messages import Request
from gateway.http.request_parser import RequestParser
from tests.gateway.http.support import GET, post
from tests.gateway.http.test_request_parser import CHUNKED, MESSAGES, REFUSED

LIMITS = Limits(header_bytes=1024, body_bytes=2048)


def fresh(data: bytes) -> tuple[list[Request], int]:
    return fed(RequestParser(LIMITS, "peer"), data)


def fed(parser: RequestParser, data: bytes) -> tuple[list[Request], int]:
    return parser.feed(data), parser.error.status if parser.error else 0


def recalls(parser: RequestParser, data: bytes) -> bool:
    return parser._known is not None and parser._known.recall(data, "") is not None


@pytest.mark.parametrize("spelling", [b"Content-Length", b"content-length"])
def test_a_head_is_recalled_with_another_body(spelling: bytes) -> None:
    parser = RequestParser(LIMITS, "peer")
    for body in (b"one", b"of another length", b"", b"x" * 2000):
        data = post(body, extra=b"X-a: 1\r\n").replace(b"Content-Length", spelling)
        assert recalls(parser, data) is (body != b"one")
        assert fed(parser, data) == fresh(data)


def test_what_was_derived_from_a_head_is_found_again_and_headers_are_nobody_elses() -> None:
    parser = RequestParser(LIMITS)
    first, second, third = (parser.feed(post(b"x" * size))[0] for size in (1, 2, 3))
    first.memo["derived"] = 1
    second.headers.clear()
    second.index.clear()
    assert third.memo == {"derived": 1}
    assert (third.get(b"content-length"), third.headers[-1]) == (b"3", (b"Content-Length", b"3"))
    assert parser.feed(post(b"", path=b"/other"))[0].memo == {}


@pytest.mark.parametrize(
    "data",
    [
        post(b"abc")[:-1],  # more of the body follows
        post(b"abc") + b"d",
        post(b"abc") + GET,
        post(b"abc").replace(b": 3", b": 4"),
        post(b"abc").replace(b": 3", b": +3"),
        post(b"abc").replace(b": 3", b": "),
        post(b"abc").replace(b": 3", b": 3 "),
        post(b"abc").replace(b": 3", b": 3,3"),
        post(b"abc").replace(b"Host: here", b"Host: her"),
        post(b"x" * 2049),
        GET,
    ],
)
def test_what_differs_in_anything_else_is_parsed(data: bytes) -> None:
    parser = RequestParser(LIMITS, "peer")
    parser.feed(post(b"hello"))
    assert not recalls(parser, data)
    assert fed(parser, data) == fresh(data)


@pytest.mark.parametrize(
    "data",
    [
        CHUNKED + b"0\r\n\r\n",
        post(b"", extra=b"Expect: 100-continue\r\n"),
        post(b"", extra=b"Upgrade: h2c\r\nConnection: upgrade\r\n"),
        post(b"", extra=b"Connection: close\r\n"),
        post(b"").replace(b"Content-Length", b"CONTENT-LENGTH"),
        b"\r\n" + post(b""),
        GET + GET,
    ],
)
def test_what_is_not_remembered(data: bytes) -> None:
    parser = RequestParser(LIMITS)
    parser.feed(data)
    assert parser._known is None


def test_long_heads_are_not_remembered() -> None:
    parser = RequestParser(Limits())
    parser.feed(post(b"", extra=b"X: " + b"x" * HEAD_BYTES + b"\r\n"))
    assert parser._known is None


def test_a_recalled_head_keeps_to_the_limit() -> None:
    """The digits of a longer length can't carry a head over it."""
    parser = RequestParser(Limits(header_bytes=1024))
    assert parser.feed(post(b"", extra=b"X: " + b"x" * (1024 - len(post(b"", extra=b"X: \r\n"))) + b"\r\n"))
    assert parser._known is None


def test_connections_share_heads_and_their_number_is_bounded() -> None:
    heads = KnownHeads(1024, 1024)
    one, two = RequestParser(LIMITS, known=heads), RequestParser(LIMITS, known=heads)
    for parser in (one, two):
        parser.feed(post(b"a"))
    assert one._known is two._known
    for i in range(3 * KEPT):
        RequestParser(LIMITS, known=heads).feed(post(b"", path=b"/%d" % i))
        assert len(heads._heads) <= KEPT


def test_no_body_is_kept() -> None:
    parser = RequestParser(LIMITS)
    parser.feed(post(b"secret"))
    assert parser._known is not None
    assert parser._known._request.body == b""


@given(
    st.lists(MESSAGES.filter(lambda data: data not in {d for d, _ in REFUSED.values()}), min_size=2, max_size=6),
    st.integers(0, 200),
    st.binary(max_size=3),
)
def test_memory_changes_nothing(messages: list[bytes], at: int, noise: bytes) -> None:
    """Each message is fed twice, the second time with some bytes replaced: what a fresh parser says of it holds."""
    parser = RequestParser(LIMITS, "peer")
    for data in messages:
        assert fed(parser, data) == fresh(data)
        changed = data[:at] + noise + data[at + len(noise) :]
        known = parser._known.recall(changed, "peer") if parser._known is not None else None
        if known is not None:
            assert ([known], 0) == fresh(changed)
