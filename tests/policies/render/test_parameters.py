from typing import Any

import pytest

from policies.errors import OperatorError
from policies.genome import Genome
from policies.render import ModelTarget, Renderer
from tests.policies.render.rendering import USER, rendered


def test_genes_override_and_unset_genes_leave() -> None:
    sent = {"messages": [USER], "temperature": 0.2, "top_p": 0.5}
    found = rendered(sent, temperature=0.9, max_tokens=512)
    assert found == {**sent, "temperature": 0.9, "max_tokens": 512}


def test_client_wins_where_the_client_set_it() -> None:
    wins: dict[str, Any] = {"client_wins": ("temperature", "max_tokens"), "temperature": 0.9, "max_tokens": 512}
    assert rendered({"temperature": 0.2}, **wins) == {"temperature": 0.2, "max_tokens": 512}
    assert rendered({"temperature": 0, "max_completion_tokens": 9}, **wins) == {
        "temperature": 0,
        "max_completion_tokens": 9,
    }
    assert rendered({"temperature": None}, **wins)["temperature"] == 0.9  # null is unset


def test_the_clients_spelling_is_kept_and_never_doubled() -> None:
    assert rendered({"max_completion_tokens": 9}, max_tokens=512) == {"max_completion_tokens": 512}
    assert rendered({"max_tokens": 9, "max_completion_tokens": 9}, max_tokens=512) == {"max_tokens": 512}
    assert rendered({"max_tokens": None}, max_tokens=512) == {"max_tokens": 512}
    assert rendered({"max_completion_tokens": None}, max_tokens=512) == {"max_tokens": 512}


def test_the_models_names() -> None:
    target = ModelTarget("r", "u", "o9", {"max_tokens": "max_completion_tokens", "temperature": None})
    sent = {"messages": [USER], "model": "support", "temperature": 0.3, "max_tokens": 5, "seed": 7}
    assert rendered(sent, target=target) == {
        "messages": [USER],
        "model": "o9",
        "seed": 7,
        "max_completion_tokens": 5,
    }
    assert rendered(sent, target=target, max_tokens=512)["max_completion_tokens"] == 512
    assert "temperature" not in rendered(sent, target=target, temperature=0.1)


def test_a_rename_never_overwrites_what_has_the_models_name_already() -> None:
    target = ModelTarget("r", "u", "o9", {"max_tokens": "max_completion_tokens"})
    found = rendered({"max_tokens": 5, "max_completion_tokens": 6}, target=target)
    assert found == {"model": "o9", "max_completion_tokens": 6}


def test_client_wins_must_name_a_gene_that_can_yield() -> None:
    with pytest.raises(OperatorError, match=r"'rubric'.*known: max_tokens, temperature, top_p"):
        Renderer(Genome(), None, ["rubric"])


@pytest.mark.parametrize(
    ("stream_options", "added"),
    [(None, True), ({}, True), ({"include_usage": False}, True), ({"include_usage": True}, False), (7, False)],
)
def test_usage_is_asked_for_only_where_the_client_did_not(stream_options: Any, added: bool) -> None:
    sent = {"stream": True, "stream_options": stream_options}
    assert Renderer(Genome(), None).adds_usage(sent) is added
    expected = {"include_usage": True} if added else stream_options
    assert rendered(sent, ask_usage=True)["stream_options"] == expected
    assert rendered(sent)["stream_options"] == stream_options


def test_other_stream_options_stay() -> None:
    sent = {"stream": True, "stream_options": {"include_obfuscation": False}}
    assert rendered(sent, ask_usage=True)["stream_options"] == {"include_obfuscation": False, "include_usage": True}


@pytest.mark.parametrize("stream", [False, None, 1, "yes"])
def test_usage_is_not_asked_for_without_a_stream(stream: Any) -> None:
    assert rendered({"stream": stream}, ask_usage=True) == {"stream": stream}


def test_usage_is_not_asked_of_a_model_that_does_not_take_it() -> None:
    target = ModelTarget("r", "u", "m", {"stream_options": None})
    assert not Renderer(Genome(), target).adds_usage({"stream": True})
    assert "stream_options" not in rendered({"stream": True}, target=target, ask_usage=True)
