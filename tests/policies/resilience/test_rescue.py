"""A second answer may go on where the first was cut only if it repeats it: never a word twice, never another's word."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.resilience import Rescue

TEXT = "The ferry leaves at nine, née Zürich \N{SHIP}."
DONE = b"data: [DONE]\n\n"


def event(choice: dict[str, Any] | None, name: str, **more: Any) -> bytes:
    choices = [{"index": 0, "finish_reason": None, **choice}] if choice is not None else []
    return b"data: " + orjson.dumps({"id": f"id-{name}", "model": name, "choices": choices, **more}) + b"\n\n"


def stream(pieces: Sequence[str], name: str, *, legacy: bool = False) -> list[bytes]:
    """Events of a whole answer: role, words, end, usage, terminator."""
    if legacy:
        body = [event({"text": piece}, name) for piece in pieces]
        return [*body, event({"text": "", "finish_reason": "stop"}, name), DONE]
    return [
        event({"delta": {"role": "assistant", "content": ""}}, name),
        *(event({"delta": {"content": piece}}, name) for piece in pieces),
        event({"delta": {}, "finish_reason": "stop"}, name),
        event(None, name, usage={"completion_tokens": len(pieces)}),
        DONE,
    ]


def chunks(data: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(raw[6:]) for raw in data.split(b"\n\n") if raw.startswith(b"data: {")]


def said(data: bytes) -> str:
    found = [choice for chunk in chunks(data) for choice in chunk["choices"]]
    return "".join(c.get("delta", {}).get("content") or c.get("text") or "" for c in found)


def pieces_of(text: str, cuts: Sequence[int]) -> list[str]:
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(edges)]


def fed(rescue: Rescue, data: bytes, cuts: Sequence[int] = ()) -> bytes:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return b"".join(rescue.feed(data[start:end]) for start, end in pairwise(edges))


CUTS = st.lists(st.integers(0, 10_000), max_size=12)
ALL_CUTS = st.tuples(CUTS, CUTS, CUTS)  # of the first answer's text, the second's, and the second's bytes


@given(st.text(st.characters(codec="utf-8"), max_size=60), ALL_CUTS, st.integers(0, 20), st.booleans())
def test_the_same_text_however_it_is_cut(
    text: str, cuts: tuple[list[int], list[int], list[int]], kept: int, legacy: bool
) -> None:
    first, second, splits = cuts
    words = stream(pieces_of(text, first), "one", legacy=legacy)
    relayed = b"".join(words[: min(kept, len(words) - (2 if legacy else 3))])
    rescue = Rescue(relayed)
    whole = b"".join(stream(pieces_of(text, second), "two", legacy=legacy))
    released = fed(rescue, whole, splits)
    assert rescue.failure is None
    assert rescue.finish() == b""
    assert rescue.failure is None
    assert said(relayed + released) == text
    assert {chunk["model"] for chunk in chunks(released)} == {"two"}
    assert released.endswith(DONE)
    roles = [c["delta"].get("role") for k in chunks(relayed + released) for c in k["choices"] if "delta" in c]
    assert [role for role in roles if role] == ([] if legacy else ["assistant"])


@given(st.text(max_size=30), st.text(max_size=30), ALL_CUTS, st.integers(0, 12))
def test_another_text_never_gets_through_beyond_what_it_repeats(
    one: str, two: str, cuts: tuple[list[int], list[int], list[int]], kept: int
) -> None:
    first, second, splits = cuts
    one, two = (text.encode("utf-8", "ignore").decode() for text in (one, two))
    words = stream(pieces_of(one, first), "one")
    relayed = b"".join(words[: min(kept, len(words) - 3)])
    rescue = Rescue(relayed)
    released = fed(rescue, b"".join(stream(pieces_of(two, second), "two")), splits)
    released += rescue.finish()
    if two.startswith(said(relayed)):
        assert said(relayed + released) == two
    else:
        assert released == b""
        assert rescue.failure is not None
        assert rescue.failure.startswith("the second answer diverged")


def relayed_of(*choices: dict[str, Any]) -> bytes:
    return b"".join(event(choice, "one") for choice in ({"delta": {"role": "assistant", "content": "The "}}, *choices))


BEYOND = [
    {"delta": {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": ""}}]}},
    {"delta": {"refusal": "No"}},
    {"delta": {"reasoning_content": "hm"}},
    {"delta": {"content": "x"}, "logprobs": {"content": []}},
    {"delta": {}, "finish_reason": "stop"},
    {"index": 1, "delta": {"content": "x"}},
    {"delta": {"content": [{"type": "text", "text": "x"}]}},
]


@pytest.mark.parametrize("choice", BEYOND, ids=str)
def test_a_client_that_has_more_than_text_can_not_be_rescued(choice: dict[str, Any]) -> None:
    rescue = Rescue(relayed_of(choice))
    assert rescue.failure is not None
    assert rescue.failure.startswith("the first answer is beyond rescue")
    assert fed(rescue, b"".join(stream(["The ", "x"], "two"))) == b""


@pytest.mark.parametrize(
    "relayed",
    [
        b'data: {"id": \n\n',
        b"data: 7\n\n",
        b'data: {"error": {"message": "x"}}\n\n',
        b'event: message_start\ndata: {"type": "message_start", "message": {}}\n\n',
        b'data: {"type": "response.created", "sequence_number": 0}\n\n',
        b'data: {"choices": [7]}\n\n',
        b'data: {"choices": [{}, {}]}\n\n',
        event({"delta": {"content": "x"}}, "one")[:-1],
        b"data: half an eve",
    ],
)
def test_what_can_not_be_read_can_not_be_rescued(relayed: bytes) -> None:
    assert Rescue(relayed).failure is not None


def test_nothing_relayed_lets_everything_pass_untouched_whatever_it_is() -> None:
    for relayed in (b"", b": waiting\n\n", event(None, "one", prompt_filter_results=[{}])):
        rescue = Rescue(relayed)
        assert rescue.feed(b"event: message_start\nda") == b"event: message_start\nda"
        assert rescue.finish() == b""
        assert rescue.failure is None


@pytest.mark.parametrize("choice", BEYOND[:4], ids=str)
def test_a_second_answer_that_says_something_of_another_kind_first_has_diverged(choice: dict[str, Any]) -> None:
    rescue = Rescue(relayed_of())
    assert rescue.feed(event(choice, "two")) == b""
    assert rescue.failure is not None
    assert rescue.feed(b"".join(stream(["The ", "x"], "two"))) == b""


def test_a_tool_call_behind_the_repeated_text_goes_on() -> None:
    rescue = Rescue(relayed_of())
    assert rescue.feed(event({"delta": {"role": "assistant", "content": "The "}}, "two")) == b""
    call = event({"delta": {"role": "assistant", "tool_calls": [{"index": 0, "id": "c"}]}}, "two")
    (chunk,) = chunks(rescue.feed(call))
    assert chunk["choices"][0]["delta"] == {"tool_calls": [{"index": 0, "id": "c"}]}


def test_one_that_ends_too_early_has_diverged_by_any_ending() -> None:
    for ending in (event({"delta": {}, "finish_reason": "stop"}, "two"), DONE, b""):
        rescue = Rescue(relayed_of())
        assert rescue.feed(event({"delta": {"content": "Th"}}, "two") + ending) + rescue.finish() == b""
        assert rescue.failure is not None


def test_an_error_in_the_second_answer_is_never_released() -> None:
    rescue = Rescue(relayed_of())
    assert rescue.feed(b'data: {"error": {"message": "x"}}\n\n') == b""
    assert rescue.failure is not None


def test_an_event_without_its_blank_line_at_the_end_still_counts() -> None:
    rescue = Rescue(relayed_of())
    assert rescue.feed(event({"delta": {"content": "The end"}}, "two")[:-2]) == b""
    assert said(rescue.finish()) == "end"
    assert rescue.failure is None


def test_escapes_and_line_ends_of_another_provider_are_the_same_text() -> None:
    rescue = Rescue(event({"delta": {"content": "née "}}, "one"))
    rest = b": note\r\n\r\ndata: [DONE]\r\n\r\n"
    released = rescue.feed(b'data: {"choices": [{"index": 0, "delta": {"content": "n\\u00e9e Z"}}]}\r\n\r\n' + rest)
    assert said(released) == "Z"
    assert released.endswith(rest)


def test_an_event_that_never_ends_is_not_kept_for_ever() -> None:
    rescue = Rescue(relayed_of())
    piece = b"data: " + b"x" * 1_048_576
    assert all(rescue.feed(piece) == b"" for _ in range(9))
    assert rescue.failure == "the second answer diverged: an event has no end"


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_bytes_crash_it(relayed: bytes, second: bytes) -> None:
    rescue = Rescue(relayed)
    rescue.feed(second)
    rescue.finish()
    whole = Rescue(relayed_of())
    whole.feed(second)
    whole.finish()
