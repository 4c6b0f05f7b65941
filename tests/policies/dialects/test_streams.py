from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.dialects import CHAT, COMPLETIONS, DIALECTS, MESSAGES, RESPONSES, Dialect
from policies.outcome import Answer, EventReader, FailureClass, Observed, classify
from policies.outcome.words import Words
from tests.policies.dialects.wire import (
    CHAT_STREAM,
    DONE,
    MEANINGS,
    MESSAGE_OPENING,
    MESSAGE_STREAM,
    RESPONSE,
    STREAMS,
    events,
    response_stream,
)

EVERY = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
NULLED = [CHAT_STREAM[0][:-3] + b',"usage":null}\n\n', CHAT_STREAM[1][:-3] + b', "usage": null}\n\n']


def read(dialect: Dialect, pieces: Sequence[bytes], *, hide: bool = False) -> tuple[EventReader, bytes, bytes]:
    """The reader, and all that it relayed and held."""
    reader = dialect.reader(hide)
    halves = [reader.split(piece) for piece in pieces]
    halves.append(reader.finish())
    return reader, b"".join(relay for relay, _ in halves), b"".join(held for _, held in halves)


def failure(answer: Answer) -> FailureClass | None:
    return classify(Observed(status=200, answer=answer), p95_ms=1000, usd_per_request=1)[0]


@EVERY
def test_a_stream_means_what_the_whole_answer_means(dialect: Dialect) -> None:
    stream = STREAMS[dialect.name]
    reader, relayed, held = read(dialect, stream)
    assert reader.answer == MEANINGS[dialect.name]
    assert relayed == b"".join(stream[:-1])
    assert held == stream[-1]


@EVERY
def test_no_stream_is_whole_before_its_last_words(dialect: Dialect) -> None:
    stream = STREAMS[dialect.name]
    ends = {"chat": 8, "completions": 4, "responses": len(stream), "messages": len(stream) - 1}
    for size in range(len(stream)):
        reader, relayed, _ = read(dialect, stream[:size])
        assert reader.done == (size >= ends[dialect.name])
        assert reader.answer.complete == reader.done
        assert relayed == b"".join(stream[:size])


@EVERY
def test_a_cut_stream_keeps_the_words_that_came(dialect: Dialect) -> None:
    stream = STREAMS[dialect.name]
    reader = dialect.reader(False)
    reader.split(b"".join(stream[: len(stream) // 2]))
    assert "Hello" in reader.answer.text
    assert failure(reader.answer) is FailureClass.CUT_SHORT


@EVERY
def test_the_error_event_of_a_dialect_is_read_as_an_error_in_it(dialect: Dialect) -> None:
    error = dialect.error_event("the upstream hung up", "truncated", 9)
    reader, relayed, held = read(dialect, [*STREAMS[dialect.name][:2], error])
    assert reader.error == "the upstream hung up"
    assert not reader.done
    assert relayed.endswith(error)
    assert held == b""


def test_anthropics_own_error_event() -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    reader, _, _ = read(MESSAGES, events(*MESSAGE_OPENING, overloaded))
    assert reader.error == "Overloaded"
    assert failure(reader.answer) is FailureClass.SERVER_ERROR


def test_responses_that_end_badly() -> None:
    details = {"reason": "max_output_tokens"}
    short = {
        "type": "response.incomplete",
        "response": {**RESPONSE, "status": "incomplete", "incomplete_details": details},
    }
    reader, _, held = read(RESPONSES, response_stream(short))
    assert failure(reader.answer) is FailureClass.CUT_SHORT
    assert reader.answer.complete
    assert held.startswith(b"event: response.incomplete")
    error = {"code": "server_error", "message": "The model failed"}
    failed = {"type": "response.failed", "response": {**RESPONSE, "status": "failed", "error": error}}
    reader, _, held = read(RESPONSES, response_stream(failed))
    assert reader.error == "The model failed"
    assert (reader.done, held) == (False, b"")
    assert failure(reader.answer) is FailureClass.SERVER_ERROR
    reader, _, _ = read(RESPONSES, response_stream({"type": "error", "code": "x", "message": "gone", "param": None}))
    assert reader.error == "gone"


def test_responses_number_their_events() -> None:
    assert RESPONSES.reader(False).sequence == 0
    stream = response_stream()
    for size in range(1, len(stream)):
        assert read(RESPONSES, stream[:size])[0].sequence == size


def test_messages_may_end_without_message_stop() -> None:
    reader, _, held = read(MESSAGES, MESSAGE_STREAM[:-1])
    assert reader.answer == MEANINGS["messages"]
    assert held == b""


def test_counts_of_a_message_are_totals() -> None:
    last = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}
    again = {**last, "usage": {"output_tokens": 5, "input_tokens": 40, "cache_read_input_tokens": None}}
    answer = read(MESSAGES, events(*MESSAGE_OPENING, last, again))[0].answer
    assert (answer.input_tokens, answer.cached_tokens, answer.output_tokens) == (40 + 7 + 8, 8, 5)


@pytest.mark.parametrize("dialect", [CHAT, COMPLETIONS], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("size", [1, 50, 100_000])
def test_hidden_usage_leaves_the_stream_that_the_client_asked_for(dialect: Dialect, size: int) -> None:
    asked = STREAMS[dialect.name]
    expected = b"".join([*asked[:-2], DONE])
    for spelling in (b',"usage":null}', b', "usage": null}'):
        beside = [event.replace(b"}\n\n", spelling + b"\n\n") for event in asked[:-2]]
        sent = b"".join([*beside, *asked[-2:]])
        pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
        reader, relayed, held = read(dialect, pieces, hide=True)
        assert relayed + held == expected
        assert reader.answer == MEANINGS[dialect.name]
        _, relayed, held = read(dialect, pieces)
        assert relayed + held == sent


def test_words_that_look_like_usage_are_never_touched() -> None:
    words = b'data: {"choices":[{"index":0,"delta":{"content":",\\"usage\\":null"}}],"usage":null}\n\n'
    _, relayed, _ = read(CHAT, [words], hide=True)
    assert relayed == words.replace(b',"usage":null}\n', b"}\n")
    assert b',\\"usage\\":null' in relayed


def by_json(dialect: Dialect, stream: bytes, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Every event read as JSON."""
    with monkeypatch.context() as patched:
        patched.setattr(Words, "learn", lambda *_: None)
        return read(dialect, [stream])[0].answer


PADDED = [
    event[:-3] + b',"obfuscation":"' + b"x" * (number % 5) + b'"}\n\n' for number, event in enumerate(CHAT_STREAM[:-1])
]
ODD_WORDS = [
    CHAT_STREAM[1].replace(b"Hello", words)
    for words in (
        b'\\"',
        b"\\\\",
        b"a\\u00e9",
        b"\\",
        b"\xff",
        b"a\nb",
        b"",
        b'"',
        b'"}',
        b"\t",
        b'x","content":"y',
        b"\xc3",
        b"\xa9",
        b"\\ud83d",
        b"\\ude00",
    )
]
TWO = CHAT_STREAM[1].replace(b'"index":0', b'"index":1')
PIECES = {
    "chat": [*CHAT_STREAM, *NULLED, *PADDED, *ODD_WORDS, TWO, b": comment\n\n", b"\n", b"data: {broken\n\n"],
    "completions": [*STREAMS["completions"], b"data: {broken\n\n", STREAMS["completions"][1].replace(b"Hello", b"\\")],
    "responses": [
        *STREAMS["responses"],
        STREAMS["responses"][4].replace(b"Hello", b"\\"),
        STREAMS["responses"][4].replace(b"Hello", b"a\nb"),
        STREAMS["responses"][4].replace(b'"}', b'"'),
    ],
    "messages": [*MESSAGE_STREAM, MESSAGE_STREAM[3].replace(b"Hello", b"\\"), b"data: {broken\n\n", b"\n"],
}


@EVERY
@given(drawn=st.data())
def test_however_the_bytes_are_cut_the_result_is_the_same(dialect: Dialect, drawn: st.DataObject) -> None:
    chosen = drawn.draw(st.lists(st.sampled_from(PIECES[dialect.name]) | st.binary(max_size=6), max_size=9))
    stream = b"".join(chosen).replace(b"\n", drawn.draw(st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"])))
    hide = drawn.draw(st.booleans())
    whole, relayed, held = read(dialect, [stream], hide=hide)
    bounds = [0, *sorted(drawn.draw(st.lists(st.integers(0, len(stream)), max_size=12))), len(stream)]
    some = [stream[start:end] for start, end in pairwise(bounds)]
    by_event = [event + b"\n\n" for event in stream.split(b"\n\n")]
    by_event[-1] = by_event[-1].removesuffix(b"\n\n")
    for pieces in (some, by_event, [stream[place : place + 1] for place in range(len(stream))]):
        reader, relayed_too, held_too = read(dialect, pieces, hide=hide)
        assert reader.answer == whole.answer
        assert (relayed_too, held_too) == (relayed, held)
        assert (reader.done, reader.error) == (whole.done, whole.error)
    if not hide:
        assert relayed + held == stream


def test_an_unfinished_escape_does_not_spoil_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    escape, comma = (CHAT_STREAM[1].replace(b"Hello", words) for words in (b"\\", b","))
    reader, _, _ = read(CHAT, [CHAT_STREAM[1], escape, comma, escape + comma])
    assert reader.answer == by_json(CHAT, b"".join([CHAT_STREAM[1], escape, comma, escape, comma]), monkeypatch)
    assert (reader.answer.text, reader.answer.malformed) == ("Hello,,", 2)


def test_a_blank_line_inside_words_ends_an_event() -> None:
    broken = CHAT_STREAM[1].replace(b"Hello", b"a\n\nb")
    assert read(CHAT, [CHAT_STREAM[1], broken])[0].answer == read(CHAT, [CHAT_STREAM[1] + broken])[0].answer


@EVERY
@given(drawn=st.data())
def test_what_was_recognised_is_what_json_says(dialect: Dialect, drawn: st.DataObject) -> None:
    chosen = drawn.draw(st.lists(st.sampled_from(PIECES[dialect.name]), max_size=12))
    stream = b"".join(chosen)
    assert read(dialect, [stream])[0].answer == by_json(dialect, stream, pytest.MonkeyPatch())
    assert read(dialect, chosen)[0].answer == by_json(dialect, stream, pytest.MonkeyPatch())


def test_a_stream_without_a_terminator_is_not_whole_where_words_were_no_string(monkeypatch: pytest.MonkeyPatch) -> None:
    finish = CHAT_STREAM[1].replace(b'"finish_reason":null', b'"finish_reason":"stop"')
    broken = CHAT_STREAM[1].replace(b"Hello", b"\t")
    stream = [CHAT_STREAM[1], finish, broken]
    reader, _, _ = read(CHAT, stream)
    assert reader.answer == by_json(CHAT, b"".join(stream), monkeypatch)
    assert not reader.done
