"""Worked examples that retrieval brings up: turns directly before the last question; blanks add nothing."""

from typing import Any

import orjson
import pytest

from policies.dialects import CHAT, COMPLETIONS, DIALECTS, MESSAGES, RESPONSES, Dialect
from policies.memory import Entry
from tests.policies.render.endpoints import ENTRY, SHOT, SHOT_TURNS, rendered

FOUND = Entry("s1", "3+3?", answer="6")
TURNS = [{"role": "user", "content": "3+3?"}, {"role": "assistant", "content": "6"}]
FIRST = {"role": "user", "content": "Hi"}
ANSWERED = {"role": "assistant", "content": "Hello."}
LAST = {"role": "user", "content": "4+4?"}
BLANK = Entry("m1", "")
SPOKEN: dict[str, dict[str, Any]] = {
    "chat": {"messages": [FIRST]},
    "completions": {"prompt": "Hi"},
    "responses": {"input": "Hi"},
    "messages": {"messages": [FIRST]},
}


def test_chat_has_them_after_what_is_stable_and_before_the_last_question() -> None:
    sent = {"messages": [FIRST, ANSWERED, LAST]}
    found = rendered(CHAT, sent, {"few_shots": [SHOT]}, memory=(ENTRY, FOUND))["messages"]
    assert found[:6] == [*SHOT_TURNS, FIRST, ANSWERED, *TURNS]
    assert ENTRY.text in found[6]["content"]
    assert found[7:] == [LAST]


def test_responses_has_them_unless_the_provider_keeps_the_conversation() -> None:
    found = rendered(RESPONSES, {"input": [FIRST, ANSWERED, LAST]}, {"few_shots": [SHOT]}, memory=(FOUND, ENTRY))
    assert found["input"][:6] == [*SHOT_TURNS, FIRST, ANSWERED, *TURNS]
    assert ENTRY.text in found["input"][6]["content"]
    assert found["input"][7:] == [LAST]
    assert rendered(RESPONSES, {"input": "Hi"}, memory=(FOUND,))["input"] == [*TURNS, FIRST]
    kept = {"input": "Hi", "previous_response_id": "r1"}
    assert rendered(RESPONSES, kept, memory=(FOUND,)) == kept


def test_messages_never_parts_a_result_from_its_call() -> None:
    sent = {"messages": [FIRST, ANSWERED, LAST]}
    assert rendered(MESSAGES, sent, memory=(FOUND,))["messages"] == [FIRST, ANSWERED, *TURNS, LAST]
    result = {"type": "tool_result", "tool_use_id": "t", "content": "12"}
    asked = {"role": "user", "content": [result, {"type": "text", "text": "Which?"}]}
    called = {"messages": [FIRST, ANSWERED, asked]}
    assert rendered(MESSAGES, called, memory=(FOUND,)) == called


def test_completions_have_them_as_text() -> None:
    found = rendered(COMPLETIONS, {"prompt": "4+4?"}, memory=(ENTRY, FOUND))["prompt"]
    assert found.startswith("Example input:\n3+3?\nExample output:\n6\n\n")
    assert found.index(ENTRY.text) > found.index("6")
    assert found.endswith("\n\n4+4?")


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_blanks_add_nothing(dialect: Dialect) -> None:
    sent = SPOKEN[dialect.name]
    assert orjson.dumps(rendered(dialect, sent, memory=(BLANK, BLANK))) == orjson.dumps(sent)
    assert rendered(dialect, sent, memory=(BLANK, ENTRY)) == rendered(dialect, sent, memory=(ENTRY,))
