from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.outcome import ChatStream
from policies.outcome.events import _EVENT_LIMIT
from tests.policies.shapes import json_values

DONE = b"data: [DONE]\n\n"


def event(value: Any) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def delta(**fields: Any) -> bytes:
    return event({"model": "m-1", "choices": [{"index": 0, "delta": fields, "finish_reason": None}]})


def finish(reason: str) -> bytes:
    return event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


USAGE = event(
    {
        "choices": [],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 5}},
    }
)
HELLO = [delta(role="assistant", content=""), delta(content="Hel"), delta(content="lo ü"), finish("stop")]


def read(pieces: Sequence[bytes], *, hide_usage: bool = False) -> tuple[ChatStream, bytes, bytes]:
    """The reader, and all that it relayed and held."""
    reader = ChatStream(hide_usage=hide_usage)
    halves = [reader.split(piece) for piece in pieces]
    halves.append(reader.finish())
    return reader, b"".join(relay for relay, _ in halves), b"".join(held for _, held in halves)


def test_text_finish_model_and_usage() -> None:
    reader, relayed, held = read([*HELLO, USAGE, DONE])
    answer = reader.answer
    assert (answer.text, answer.finish_reason, answer.model) == ("Hello ü", "stop", "m-1")
    assert (answer.input_tokens, answer.cached_tokens, answer.output_tokens) == (9, 5, 4)
    assert answer.complete
    assert answer.has_usage
    assert reader.malformed == 0
    assert relayed == b"".join([*HELLO, USAGE])
    assert held == DONE


def test_usage_that_was_asked_for_here_is_hidden() -> None:
    reader, relayed, held = read([b"".join([*HELLO, USAGE, DONE])], hide_usage=True)
    assert relayed == b"".join(HELLO)
    assert held == DONE
    assert reader.answer.input_tokens == 9


def test_usage_beside_a_choice_is_never_hidden() -> None:
    last = event({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}})
    reader, relayed, _ = read([last, DONE], hide_usage=True)
    assert relayed == last
    assert reader.answer.input_tokens == 1


def test_tool_calls_in_pieces() -> None:
    def call(index: int, **fields: Any) -> bytes:
        return delta(tool_calls=[{"index": index, **fields}])

    reader, _, _ = read(
        [
            call(0, id="c1", type="function", function={"name": "find", "arguments": ""}),
            call(0, function={"arguments": '{"city":'}),
            call(1, id="c2", function={"name": "book", "arguments": "{}"}),
            call(0, function={"arguments": '"Oslo"}'}),
            finish("tool_calls"),
            DONE,
        ]
    )
    assert reader.answer.tool_calls == [
        {"id": "c1", "name": "find", "arguments": '{"city":"Oslo"}'},
        {"id": "c2", "name": "book", "arguments": "{}"},
    ]
    assert reader.answer.finish_reason == "tool_calls"


def test_tool_calls_without_an_index() -> None:
    calls: list[dict[str, Any]] = [
        {"id": "c1", "function": {"name": "a", "arguments": "{"}},
        {"function": {"arguments": "}"}},
        {"id": "c2", "function": {"name": "b", "arguments": "{}"}},
    ]
    reader, _, _ = read([delta(tool_calls=[call]) for call in calls])
    assert [(call["name"], call["arguments"]) for call in reader.answer.tool_calls] == [("a", "{}"), ("b", "{}")]


def test_only_the_first_of_several_choices_is_read() -> None:
    second = event({"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "length"}]})
    reader, _, _ = read([second, *HELLO, second, DONE])
    assert (reader.answer.text, reader.answer.finish_reason) == ("Hello ü", "stop")


def test_a_refusal_in_pieces() -> None:
    reader, _, _ = read([delta(refusal="I can't "), delta(refusal="do that"), DONE])
    assert reader.answer.refusal == "I can't do that"


@pytest.mark.parametrize(
    "error",
    [
        event({"error": {"message": "overloaded", "type": "server_error"}}),
        event({"error": "overloaded"}),
        b'event: error\ndata: {"message": "overloaded"}\n\n',
    ],
)
def test_an_error_inside_the_stream(error: bytes) -> None:
    reader, relayed, held = read([HELLO[1], error])
    assert reader.error == "overloaded"
    assert reader.answer.error == "overloaded"
    assert not reader.done
    assert relayed == HELLO[1] + error
    assert held == b""


def test_the_first_error_is_the_one_reported() -> None:
    reader, _, _ = read([event({"error": "overloaded"}), event({"error": "closing"})])
    assert reader.error == "overloaded"


@pytest.mark.parametrize("data", [b"data: {not json}\n\n", b"data: 7\n\n", b'data: {"x": 1}\n\n', b"data: \xff\n\n"])
def test_malformed_events_are_counted_and_relayed(data: bytes) -> None:
    reader, relayed, _ = read([data, *HELLO, DONE])
    assert reader.malformed == 1
    assert reader.answer.text == "Hello ü"
    assert relayed.startswith(data)


@pytest.mark.parametrize("data", [b": keep-alive\n\n", b"\n\n", b"retry: 10\n\n", b"data:\n\n", b"id: 7\nretry: 1\n\n"])
def test_comments_and_empty_events_are_nothing(data: bytes) -> None:
    reader, relayed, _ = read([data, *HELLO, DONE])
    assert reader.malformed == 0
    assert relayed == data + b"".join(HELLO)


def test_a_missing_terminator() -> None:
    """Some providers never send one: a `finish_reason` for every choice is an end, its absence is a cut."""
    reader, relayed, held = read(HELLO)
    assert reader.answer.complete
    assert (relayed, held) == (b"".join(HELLO), b"")
    other = event({"choices": [{"index": 1, "delta": {"content": "x"}, "finish_reason": None}]})
    for cut in (HELLO[:-1], [*HELLO, other], [*HELLO, b"data: {broken\n\n"], [*HELLO, b"data: {"], []):
        reader, _, _ = read(cut)
        assert not reader.done
        assert not reader.answer.complete


def test_a_stream_cut_inside_an_event_relays_what_came() -> None:
    cut = HELLO[2][:-10]
    reader, relayed, _ = read([HELLO[1], cut])
    assert relayed == HELLO[1] + cut
    assert reader.malformed == 1


def test_a_terminator_without_its_blank_line() -> None:
    reader, relayed, held = read([*HELLO, b"data: [DONE]"])
    assert reader.done
    assert (relayed, held) == (b"".join(HELLO), b"data: [DONE]")


def test_whatever_follows_the_terminator_is_held_with_it() -> None:
    reader, relayed, held = read([*HELLO, DONE + b": bye\n\n", b"data: {}\n\n"])
    assert held == DONE + b": bye\n\ndata: {}\n\n"
    assert relayed == b"".join(HELLO)
    assert reader.malformed == 0


def test_data_over_several_lines_is_one_value() -> None:
    reader, _, _ = read([b'data: {"choices": [{"delta":\ndata: {"content": "x"}}]}\n\n', DONE])
    assert reader.answer.text == "x"


def test_a_byte_order_mark_is_skipped() -> None:
    reader, relayed, _ = read([b"\xef\xbb", b"\xbf" + HELLO[1], DONE])
    assert reader.malformed == 0
    assert reader.answer.text == "Hel"
    assert relayed == b"\xef\xbb\xbf" + HELLO[1]


def test_whole_events_are_relayed_at_once() -> None:
    reader = ChatStream()
    assert reader.split(HELLO[0]) == (HELLO[0], b"")
    assert reader.split(HELLO[1] + HELLO[2][:9]) == (HELLO[1], b"")
    assert reader.split(HELLO[2][9:]) == (HELLO[2], b"")


def test_an_event_without_end_is_let_go() -> None:
    reader = ChatStream()
    relayed = b"".join(reader.split(b"x" * 1_000_000)[0] for _ in range(9))
    assert len(relayed) > _EVENT_LIMIT
    assert reader.malformed == 1


ODD_CHUNK = json_values() | st.fixed_dictionaries(
    {},
    optional={
        "choices": json_values()
        | st.lists(st.fixed_dictionaries({}, optional={"index": json_values(), "delta": json_values()}), max_size=2),
        "usage": json_values(),
        "error": json_values(),
        "model": json_values(),
    },
)
PIECES = st.sampled_from(
    [
        *HELLO,
        USAGE,
        DONE,
        finish("length"),
        delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]),
        event({"error": {"message": "x"}}),
        b": comment\n\n",
        b"event: error\ndata: oops\n\n",
        b"data: {broken\n\n",
        b"\n",
        b"\xef\xbb\xbf",
        b"data: [DO",
    ]
)
ANYTHING = st.lists(PIECES | ODD_CHUNK.map(event) | st.binary(max_size=6), max_size=8).map(b"".join)
STREAMS = st.tuples(ANYTHING, st.sampled_from([b"", DONE])).map(b"".join)
LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(STREAMS, LINE_ENDS, st.lists(st.integers(0, 400), max_size=12), st.booleans())
def test_however_the_bytes_are_cut_the_result_is_the_same(
    stream: bytes, line_end: bytes, cuts: list[int], hide: bool
) -> None:
    stream = stream.replace(b"\n", line_end)
    whole, relayed, held = read([stream], hide_usage=hide)
    bounds = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(bounds)]
    for cut in (pieces, [stream[place : place + 1] for place in range(len(stream))]):
        reader, relayed_too, held_too = read(cut, hide_usage=hide)
        assert reader.answer == whole.answer
        assert (relayed_too, held_too) == (relayed, held)
    if not hide:
        assert relayed + held == stream
    assert whole.done or held == b""


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_every_line_end_reads_the_same(line_end: bytes, size: int) -> None:
    stream = b"".join([*HELLO, USAGE, DONE]).replace(b"\n", line_end)
    reader, relayed, held = read([stream[at : at + size] for at in range(0, len(stream), size)], hide_usage=True)
    assert reader.answer == read([*HELLO, USAGE, DONE])[0].answer
    assert relayed == b"".join(HELLO).replace(b"\n", line_end)
    assert held == DONE.replace(b"\n", line_end)
