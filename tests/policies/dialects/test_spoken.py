from typing import Any

import pytest
from hypothesis import given

from policies.dialects import CHAT, MESSAGES, RESPONSES, spoken
from tests.policies.shapes import odd_bodies

ASKED = ("user", "Hi")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}]}, [ASKED]),
        ({"prompt": "Hi"}, [ASKED]),
        ({"prompt": ["Hi", 7, "Bye"]}, [ASKED, ("user", "Bye")]),
        ({"input": "Hi", "instructions": "S"}, [ASKED]),
        (
            {
                "input": [
                    {"role": "developer", "content": "S"},
                    {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
                    {"type": "function_call", "name": "f", "arguments": "{}"},
                    {"type": "function_call_output", "output": "12"},
                ]
            },
            [ASKED, ("tool", "12")],
        ),
        (
            {
                "system": "S",
                "messages": [
                    {"role": "user", "content": "Hi"},
                    {"role": "assistant", "content": [{"type": "tool_use", "name": "f"}]},
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "content": "12"}, {"type": "text", "text": "?"}],
                    },
                ],
            },
            [ASKED, ("user", "?\n12")],
        ),
        ({}, []),
    ],
)
def test_every_endpoints_turns(body: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert spoken(body) == expected


@given(odd_bodies())
def test_any_shape_can_be_read(body: dict[str, Any]) -> None:
    assert all(role and text for role, text in spoken(body) if role)


def test_a_copy_is_answered_whole_and_stored_nowhere() -> None:
    sent = {"input": "Hi", "stream": True, "background": True, "previous_response_id": "resp_1"}
    assert RESPONSES.detached(sent) == {"input": "Hi", "previous_response_id": "resp_1", "store": False}
    assert CHAT.detached({"messages": [], "stream": True, "stream_options": {}}) == {"messages": []}
    assert CHAT.detached({"messages": [], "store": True}) == {"messages": [], "store": False}
    assert MESSAGES.detached({"messages": [], "stream": True}) == {"messages": []}
    for conversation in ("conv_1", {"id": "conv_1"}):
        assert RESPONSES.detached({"input": "Hi", "conversation": conversation}) is None
