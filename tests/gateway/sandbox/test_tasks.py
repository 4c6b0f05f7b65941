"""Tasks as an application asks them: recoverable from their text, without a hint, checked by the application."""

from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.families import FAMILIES, recognise
from gateway.sandbox.rules import Family, read_text
from gateway.sandbox.tasks import MIX, draw_task, real_questions, tasks
from gateway.sandbox.usage import pieces
from gateway.sandbox.worlds import World

RECORDED = Path(__file__).parents[3].parent / "shared" / "data" / "routing_outcomes.csv"


@given(st.integers(0, 10_000), st.sampled_from(sorted(FAMILIES)))
def test_tasks_can_be_read_back_from_a_transcript(seed: int, family: Family) -> None:
    world = World(seed % 7)
    task = draw_task(Random(seed), world, family)
    text = task.messages[-1]["content"]
    assert recognise(world, text) == task.problem
    assert recognise(world, f"user: {text}\n\nassistant: well\n\nuser: thanks") == task.problem


@given(st.text(max_size=300))
def test_any_text_is_read_without_errors(text: str) -> None:
    recognise(World(0), text)
    assert "".join(pieces(text)) == text


def test_messages_hold_no_hint() -> None:
    world = World(1)
    for task in islice(tasks(Random(1), world), 500):
        for message in task.messages:
            reading = read_text(message["content"], "all")
            assert not reading.supports & set(task.problem.rules), message


def test_corrections_are_not_taken_for_tasks() -> None:
    world = World(1)
    for task in islice(tasks(Random(2), world), 300):
        assert recognise(world, task.correction_text) is None
        assert set(task.problem.rules) <= read_text(task.correction_text, "open").supports


def test_mix_is_kept() -> None:
    counts = Counter(task.family for task in islice(tasks(Random(3), World(1)), 4000))
    for family, weight in MIX.items():
        assert counts[family] / 4000 == pytest.approx(weight, abs=0.03)
    assert sum(MIX.values()) == pytest.approx(1.0)


def test_checks_tell_right_from_nearly_right() -> None:
    world = World(1)
    by_family = {family: draw_task(Random(5), world, family) for family in FAMILIES}
    choice = by_family["choice"]
    assert [choice.check(text) for text in ("B", " c ", "(D).", "B. zinc", "The answer is B")] == [1, 0, 1, 0, 0]
    tool = by_family["tools"]
    wanted = {"name": tool.problem.name, "arguments": dict(tool.problem.arguments)}  # type: ignore[attr-defined]
    assert tool.check(None, [wanted]) == 1.0
    assert tool.check(None, [{"function": {**wanted, "arguments": orjson.dumps(wanted["arguments"]).decode()}}]) == 1.0
    assert tool.check(None, [{**wanted, "arguments": dict(list(wanted["arguments"].items())[1:])}]) == 0.0
    assert tool.check("Shall I?", []) == 0.0
    order = by_family["extraction"]
    fields = dict(order.problem.wanted_fields)  # type: ignore[attr-defined]
    assert order.check(orjson.dumps(fields).decode()) == 1.0
    assert order.check(f"```json\n{orjson.dumps(fields).decode()}\n```") == 0.0
    fields[order.problem.day_field] = "tomorrow"  # type: ignore[attr-defined]
    assert order.check(orjson.dumps(fields).decode()) == pytest.approx(0.2)
    assert by_family["knowledge"].check("I do not know.") == 0.2


def test_recorded_questions_become_tasks() -> None:
    if not RECORDED.exists():
        pytest.skip(f"recorded data are absent: {RECORDED}")
    questions = real_questions(RECORDED, World(1))
    assert len(questions) == 14_042
    assert all(question.family == "choice" for question in questions)
    letters = Counter(question.problem.letter for question in questions)  # type: ignore[attr-defined]
    assert min(letters[letter] for letter in "ABCD") > 3000


def test_questions_without_options_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "questions.csv"
    file.write_text('subject,prompt\nx,"Which?\nA. a\nB. b\nC. c\nD. d\nAnswer:"\ny,no options\n', encoding="utf-8")
    (only,) = real_questions(file, World(1), system="Quiz.")
    assert [message["role"] for message in only.messages] == ["system", "user"]
