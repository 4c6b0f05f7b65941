from typing import Any

import pytest

from policies.dialects import COMPLETIONS
from policies.errors import ClientError
from policies.render import ModelTarget, Turns
from tests.policies.render.endpoints import ENTRY, SHOT, rendered

SAYS = {"rubric": ["G"], "few_shots": [SHOT]}


def test_everything_stands_in_front_and_retrieved_text_last() -> None:
    found = rendered(COMPLETIONS, {"prompt": "Hi"}, SAYS, memory=(ENTRY,))["prompt"]
    order = [found.index(words) for words in ("G\n\n", "2+2?", "\n4\n\n", "Refunds take 14 days.", "Hi")]
    assert order == sorted(order)
    assert order[0] == 0
    assert found.endswith("</reference>\n\nHi")


@pytest.mark.parametrize("placement", ["before", "after", "replace"])
def test_placement_makes_no_difference(placement: str) -> None:
    prompt = {"rubric": ["G"], "placement": placement}
    assert rendered(COMPLETIONS, {"prompt": "Hi"}, prompt) == {"prompt": "G\n\nHi"}
    assert rendered(COMPLETIONS, {"prompt": ["a", "b"]}, prompt) == {"prompt": ["G\n\na", "G\n\nb"]}


@pytest.mark.parametrize(
    "body", [{"prompt": [1, 2]}, {"prompt": [[1]]}, {}, {"prompt": []}, {"prompt": "x", "echo": True}]
)
def test_prompts_that_nothing_can_be_put_before(body: dict[str, Any]) -> None:
    with pytest.raises(ClientError):
        rendered(COMPLETIONS, body, SAYS)
    assert rendered(COMPLETIONS, body, temperature=0.5) == {**body, "temperature": 0.5}


def test_usage_and_parameters() -> None:
    target = ModelTarget("r", "u", "o9", {"max_tokens": "max_completion_tokens"})
    found = rendered(COMPLETIONS, {"prompt": "x", "stream": True}, target=target, max_tokens=512, ask_usage=True)
    assert found == {
        "prompt": "x",
        "stream": True,
        "max_tokens": 512,
        "model": "o9",
        "stream_options": {"include_usage": True},
    }


def test_the_conversation_that_a_request_holds() -> None:
    assert COMPLETIONS.turns({"prompt": "Hi"}) == Turns(1, False, "Hi", "Hi")
    assert COMPLETIONS.turns({"prompt": ["a", "b"]}).text == "a\nb"
    assert COMPLETIONS.turns({"prompt": [1, 2]}) == Turns(1, False, [1, 2], "")
    assert COMPLETIONS.turns({}).turn == 0
