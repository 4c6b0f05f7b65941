"""Hand-written sets: good lines are taken, bad ones told with line, field and remedy."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evolver.golden import anchors, handwritten
from policies.errors import OperatorError

GOOD: list[dict[str, Any]] = [
    {"input": "What is 2 + 2?", "expected": "4"},
    {
        "input": [{"role": "system", "content": "Be terse."}, {"role": "user", "content": "Hi"}],
        "expected": "Hi",
        "id": "x",
    },
    {"input": "3 + 3?", "expected": "6", "anchor": True, "quality": 1, "conversation": "c"},
]


def written(path: Path, lines: list[Any]) -> Path:
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_good_lines_become_items(tmp_path: Path) -> None:
    first, second, third = handwritten(written(tmp_path / "g.jsonl", GOOD))
    assert (first.question, first.expected, first.source, first.anchor) == ("What is 2 + 2?", "4", "hand", False)
    assert (second.id, second.question) == ("x", "Hi")
    assert (third.conversation, third.anchor) == ("c", True)


def test_anchors_are_examples_with_the_right_answer(tmp_path: Path) -> None:
    (found,) = anchors(written(tmp_path / "g.jsonl", GOOD), "support")
    assert (found.policy, found.correction, found.request_text) == ("support", "6", "3 + 3?")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            {"input": "a", "expected": 4},
            "expected: input should be a valid string, is a number; write the right answer",
        ),
        ({"input": 4, "expected": "a"}, "input: "),
        ({"expected": "a"}, "input: is missing; write the question"),
        ({"input": "a"}, "expected: is missing; write the right answer"),
        ({"input": "", "expected": "a"}, "input: "),
        (
            {"input": "a", "expected": "b", "quality": 1.5},
            "quality: input should be less than or equal to 1, is a number",
        ),
        ({"input": "a", "expected": "b", "quality": "high"}, "is text; write a number from 0 to 1"),
        (
            {"input": "a", "expected": "b", "anchor": "yes"},
            "anchor: input should be a valid boolean, is text; write true",
        ),
        ({"input": "a", "expected": "b", "id": 7}, "id: input should be a valid string, is a number"),
        ({"input": "a", "expected": "b", "answer": "c"}, "answer: no such field; known: input, expected"),
        ({"input": [{"content": "no role"}], "expected": "b"}, "write the question as a string, or as messages"),
        (["a", "b"], "not a JSON object; write"),
        (7, "not a JSON object; write"),
    ],
)
def test_a_wrong_line_is_told_with_its_place_and_a_remedy(tmp_path: Path, line: object, said: str) -> None:
    path = written(tmp_path / "g.jsonl", [GOOD[0], line])
    with pytest.raises(OperatorError) as caught:
        handwritten(path)
    (message,) = str(caught.value).splitlines()
    assert message.startswith(f"{path}:2: ")
    assert said in message


def test_every_wrong_line_is_told_once_and_not_too_many(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    path.write_bytes(b"{\n" * 30)
    with pytest.raises(OperatorError) as caught:
        handwritten(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "… and 10 more"


def test_two_lines_of_one_id(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r":2: id: 'x' is that of line 1"):
        handwritten(written(tmp_path / "g.jsonl", [GOOD[1], GOOD[1]]))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="can't be read"):
        handwritten(tmp_path / "none.jsonl")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["input", "expected", "id", "role"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.binary(max_size=20), JSON.map(orjson.dumps)), max_size=4))
def test_anything_parses_or_is_one_error(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "g.jsonl"
    path.write_bytes(b"\n".join(lines))
    said = ""
    try:
        assert all(item.expected for item in handwritten(path))
    except OperatorError as error:
        said = str(error)
    assert all(f"{path}:" in line for line in said.splitlines())
