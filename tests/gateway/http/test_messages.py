import http.client

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.messages import Reply, Request
from tests.gateway.http.support import parse_answer


class Written:
    """What a reply wrote, and how it ended."""

    def __init__(self, method: bytes = b"POST", version: str = "1.1", *, keep_alive: bool = True) -> None:
        self.writes: list[bytes] = []
        self.ends: list[bool] = []
        request = Request(method, b"/", [], b"", version, keep_alive, "")
        self.reply = Reply(request, self.writes.append, self.ends.append)

    @property
    def data(self) -> bytes:
        return b"".join(self.writes)


def test_a_whole_answer_is_one_write() -> None:
    sent = Written()
    sent.reply.send(404, [(b"X-a", b"b")], b"none")
    assert sent.writes == [b"HTTP/1.1 404 Not Found\r\nX-a: b\r\nContent-Length: 4\r\n\r\nnone"]
    assert sent.ends == [True]


@pytest.mark.parametrize(
    ("version", "keep_alive", "line"),
    [
        ("1.1", True, None),
        ("1.1", False, "close"),
        ("1.0", True, "keep-alive"),
        ("1.0", False, "close"),
    ],
)
def test_the_connection_header(version: str, keep_alive: bool, line: str | None) -> None:
    sent = Written(version=version, keep_alive=keep_alive)
    sent.reply.send(200, [], b"x")
    assert parse_answer(sent.data)[0].header("connection") == line
    assert sent.ends == [keep_alive]


@given(st.lists(st.binary(max_size=50), max_size=6), st.binary(max_size=10))
def test_chunked_and_declared_bodies_arrive_whole(pieces: list[bytes], last: bytes) -> None:
    body = b"".join(pieces) + last
    for length in (None, len(body)):
        sent = Written()
        sent.reply.start(200, [], length)
        for piece in pieces:
            sent.reply.write(piece)
        sent.reply.end(last)
        answer, rest = parse_answer(sent.data)
        assert (answer.body, rest, sent.ends) == (body, b"", [True])


def test_every_piece_goes_out_when_it_is_written() -> None:
    sent = Written()
    sent.reply.start(200, [], None)
    assert len(sent.writes) == 1
    sent.reply.write(b"a")
    assert sent.writes[1] == b"1\r\na\r\n"


def test_an_unknown_length_closes_for_http_1_0() -> None:
    sent = Written(version="1.0")
    sent.reply.start(200, [], None)
    sent.reply.end(b"abc")
    assert sent.data == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc"
    assert sent.ends == [False]


def test_head_gets_the_length_and_no_body() -> None:
    for send in (True, False):
        sent = Written(b"HEAD")
        if send:
            sent.reply.send(200, [], b"abc")
        else:
            sent.reply.start(200, [(b"Content-Length", b"3")], None)
            sent.reply.write(b"abc")
            sent.reply.end()
        assert (sent.data, sent.ends) == (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", [True])


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body(status: int) -> None:
    sent = Written()
    sent.reply.start(status, [], None)
    sent.reply.end(b"abc")
    assert sent.data.endswith(b"\r\n\r\n")
    assert b"ength" not in sent.data
    assert b"chunked" not in sent.data
    assert sent.ends == [True]


def test_a_body_shorter_than_declared_is_a_visible_cut() -> None:
    sent = Written()
    sent.reply.start(200, [], 5)
    sent.reply.end(b"abc")
    assert sent.ends == [False]
    with pytest.raises(http.client.IncompleteRead):
        parse_answer(sent.data)


def test_a_body_longer_than_declared_is_a_fault_of_ours() -> None:
    sent = Written()
    sent.reply.start(200, [], 2)
    with pytest.raises(ValueError, match="1 bytes longer"):
        sent.reply.write(b"abc")
    assert b"abc" not in sent.data


def test_an_abort_in_chunks_leaves_out_the_last_one() -> None:
    sent = Written()
    sent.reply.start(200, [], None)
    sent.reply.write(b"abc")
    sent.reply.abort()
    assert sent.ends == [False]
    with pytest.raises(http.client.IncompleteRead):
        parse_answer(sent.data)


def test_nothing_happens_behind_the_end() -> None:
    sent = Written()
    sent.reply.send(200, [], b"")
    before = sent.data
    sent.reply.send(200, [], b"again")
    sent.reply.start(200, [], None)
    sent.reply.write(b"x")
    sent.reply.end(b"x")
    sent.reply.abort()
    assert (sent.data, sent.ends, sent.reply.ended) == (before, [True], True)


def test_a_lost_client_is_told_of_once_and_never_behind_the_end() -> None:
    for ended in (True, False):
        sent = Written()
        gone: list[int] = []
        sent.reply.on_gone = lambda: gone.append(1)  # noqa: B023
        if ended:
            sent.reply.send(200, [], b"")
        sent.reply.lose()
        sent.reply.lose()
        sent.reply.send(500, [], b"late")
        assert len(gone) == (0 if ended else 1)
        assert b"late" not in sent.data
