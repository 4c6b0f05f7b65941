from typing import Any

import pytest

from policies.dialects import RESPONSES
from policies.errors import ClientError
from policies.render import ModelTarget, Turns
from tests.policies.render.endpoints import ENTRY, SHOT, SHOT_TURNS, rendered

ASK = {"role": "user", "content": "Hi"}
DEVELOPER = {"role": "developer", "content": "D"}
PARTS = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "Look"}, {"type": "input_image"}],
}


def said(body: dict[str, Any], placement: str) -> dict[str, Any]:
    return rendered(RESPONSES, body, {"rubric": ["G"], "placement": placement})


@pytest.mark.parametrize(
    ("body", "placement", "expected"),
    [
        ({"input": "Hi"}, "before", {"instructions": "G", "input": "Hi"}),
        ({"input": "Hi", "instructions": "C"}, "before", {"instructions": "G\n\nC", "input": "Hi"}),
        ({"input": "Hi", "instructions": "C"}, "after", {"instructions": "C\n\nG", "input": "Hi"}),
        ({"input": "Hi", "instructions": "C"}, "replace", {"instructions": "G", "input": "Hi"}),
        ({"input": [DEVELOPER, ASK]}, "before", {"instructions": "G", "input": [DEVELOPER, ASK]}),
        ({"input": [DEVELOPER, ASK]}, "after", {"input": [{"role": "developer", "content": "D\n\nG"}, ASK]}),
        ({"input": [DEVELOPER, ASK], "instructions": "C"}, "replace", {"instructions": "G", "input": [ASK]}),
        ({"previous_response_id": "r"}, "before", {"previous_response_id": "r", "instructions": "G"}),
    ],
)
def test_system_text_goes_into_instructions(body: dict[str, Any], placement: str, expected: dict[str, Any]) -> None:
    assert said(body, placement) == expected


def test_system_items_of_parts_stay_parts() -> None:
    part = {"type": "input_text", "text": "D"}
    found = said({"input": [{"role": "system", "content": [part]}, ASK]}, "after")["input"]
    assert found == [{"role": "system", "content": [part, {"type": "input_text", "text": "G"}]}, ASK]


def test_examples_and_retrieved_text_become_items() -> None:
    prompt = {"rubric": ["G"], "few_shots": [SHOT]}
    found = rendered(RESPONSES, {"input": "Hi"}, prompt, memory=(ENTRY,))["input"]
    assert found[:2] == SHOT_TURNS
    assert found[2]["role"] == "system"
    assert "Refunds take 14 days." in found[2]["content"]
    assert found[3:] == [ASK]
    sent = [DEVELOPER, ASK, {"type": "function_call", "call_id": "c"}, {"type": "function_call_output"}, PARTS]
    for placement, head in (("before", [DEVELOPER]), ("replace", [])):
        found = rendered(RESPONSES, {"input": sent}, {**prompt, "placement": placement}, memory=(ENTRY,))["input"]
        assert [*found[:-2], found[-1]] == [*head, *SHOT_TURNS, *sent[1:]]
        assert "Refunds" in found[-2]["content"]


@pytest.mark.parametrize("stored", [{"previous_response_id": "resp_1"}, {"conversation": "conv_1"}])
def test_a_stored_conversation_gets_no_examples_again(stored: dict[str, Any]) -> None:
    found = rendered(RESPONSES, {"input": "Hi", **stored}, {"rubric": ["G"], "few_shots": [SHOT]})
    assert found == {"input": "Hi", "instructions": "G", **stored}


def test_parameters_by_their_names_here() -> None:
    target = ModelTarget("r", "u", "o9", {"max_tokens": "max_completion_tokens", "temperature": None})
    sent = {"input": "Hi", "max_output_tokens": 9, "model": "x", "text": {"format": {"type": "text"}}, "stream": True}
    found = rendered(RESPONSES, sent, target=target, max_tokens=512, temperature=0.5, top_p=0.5, ask_usage=True)
    assert found == {**sent, "max_output_tokens": 512, "top_p": 0.5, "model": "o9"}
    assert rendered(RESPONSES, sent, client_wins=("max_tokens",), max_tokens=512) == sent


@pytest.mark.parametrize("body", [{"input": 7}, {"input": ["x", ASK]}, {"input": "Hi", "instructions": 7}])
def test_shapes_that_nothing_can_be_put_into(body: dict[str, Any]) -> None:
    with pytest.raises(ClientError):
        said(body, "before")


def test_the_conversation_that_a_request_holds() -> None:
    turns = RESPONSES.turns({"input": [DEVELOPER, ASK, {"role": "assistant", "content": "a"}, PARTS], "user": "ann"})
    assert (turns.turn, turns.continued, turns.first, turns.text) == (2, True, "Hi", "Look")
    assert (turns.head, turns.last, turns.user, turns.parent) == (1, 3, "ann", None)
    assert RESPONSES.turns({"input": "Hi"}) == Turns(1, False, "Hi", "Hi", last=0)
    assert RESPONSES.turns({"input": [ASK, {"type": "function_call"}]}).continued
    after = RESPONSES.turns({"input": "Hi", "previous_response_id": "resp_1"})
    assert (after.parent, after.continued) == ("resp_1", True)
    for conversation in ("conv_1", {"id": "conv_1"}):
        held = RESPONSES.turns({"input": "Hi", "conversation": conversation})
        assert (held.parent, held.continued) == ("conv_1", False)
