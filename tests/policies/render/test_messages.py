from typing import Any

import pytest

from policies.dialects import MESSAGES
from policies.errors import ClientError
from tests.policies.render.endpoints import ENTRY, SHOT, SHOT_TURNS, rendered

ASK = {"role": "user", "content": "Hi"}
BLOCK = {"type": "text", "text": "C", "cache_control": {"type": "ephemeral"}}
G = {"type": "text", "text": "G"}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "12"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
TOOL = {"name": "find", "input_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("system", "placement", "expected"),
    [
        (None, "before", "G"),
        ("C", "before", "G\n\nC"),
        ("C", "after", "C\n\nG"),
        ("C", "replace", "G"),
        ([BLOCK], "before", [G, BLOCK]),
        ([BLOCK], "after", [BLOCK, G]),
        ([BLOCK], "replace", "G"),
    ],
)
def test_system_text_goes_into_system(system: Any, placement: str, expected: Any) -> None:
    sent = {"messages": [ASK], **({} if system is None else {"system": system})}
    found = rendered(MESSAGES, sent, {"rubric": ["G"], "placement": placement})
    assert found == {"messages": [ASK], "system": expected}


def test_retrieved_text_is_the_first_text_of_the_last_question() -> None:
    asked = {"role": "user", "content": [RESULT, IMAGE, {"type": "text", "text": "Which?"}]}
    only_results = {"role": "user", "content": [RESULT]}
    sent = [ASK, {"role": "assistant", "content": "x"}, asked, {"role": "assistant", "content": "y"}, only_results]
    found = rendered(MESSAGES, {"messages": sent}, {"few_shots": [SHOT]}, memory=(ENTRY,))["messages"]
    assert found[:2] == SHOT_TURNS
    assert [*found[2:4], *found[5:]] == [*sent[:2], *sent[3:]]
    blocks = found[4]["content"]
    assert blocks[0] == RESULT
    assert "Refunds take 14 days." in blocks[1]["text"]
    assert blocks[2:] == asked["content"][1:]
    single = rendered(MESSAGES, {"messages": [ASK]}, memory=(ENTRY,))["messages"]
    assert single[0]["content"][1] == {"type": "text", "text": "Hi"}


def test_everything_else_stays() -> None:
    sent = {
        "model": "claude",
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": [IMAGE]}],
        "tools": [TOOL],
        "tool_choice": {"type": "auto"},
        "metadata": {"user_id": "ann"},
        "stop_sequences": ["x"],
        "top_k": 5,
        "stream": True,
        "x_unknown": [1, None],
    }
    assert rendered(MESSAGES, sent, ask_usage=True) == sent
    found = rendered(MESSAGES, sent, {"tool_instructions": "T"}, max_tokens=512, temperature=0.5)
    assert found == {**sent, "system": "T", "max_tokens": 512, "temperature": 0.5}


def test_genes_that_a_thinking_model_does_not_take_yield() -> None:
    sent = {"messages": [ASK], "max_tokens": 9_000, "thinking": {"type": "enabled", "budget_tokens": 8_000}}
    assert rendered(MESSAGES, sent, temperature=0.5, top_p=0.5, max_tokens=512) == sent
    assert rendered(MESSAGES, {"messages": [ASK], "max_tokens": 0}, max_tokens=512)["max_tokens"] == 0
    found = rendered(MESSAGES, {**sent, "thinking": {"type": "disabled"}}, temperature=0.5)
    assert found["temperature"] == 0.5


@pytest.mark.parametrize(
    "body", [{"messages": 7}, {"messages": [{"role": "user", "content": 7}]}, {"messages": [ASK], "system": 7}]
)
def test_shapes_that_nothing_can_be_put_into(body: dict[str, Any]) -> None:
    with pytest.raises(ClientError):
        rendered(MESSAGES, body, {"rubric": ["G"], "few_shots": [SHOT]}, memory=(ENTRY,))


def test_the_conversation_that_a_request_holds() -> None:
    results = {"role": "user", "content": [RESULT]}
    sent = [ASK, {"role": "assistant", "content": "x"}, {"role": "user", "content": [BLOCK]}, results]
    turns = MESSAGES.turns({"messages": sent, "metadata": {"user_id": "ann"}})
    assert (turns.turn, turns.continued, turns.first, turns.text) == (2, True, "Hi", "C")
    assert (turns.last, turns.user, turns.parent) == (2, "ann", None)
    assert MESSAGES.turns({"messages": [results]}).turn == 0
