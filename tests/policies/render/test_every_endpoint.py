"""What holds at each endpoint: nothing unasked is changed, any shape renders or is the client's, numbers stay."""

import copy
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.dialects import DIALECTS, Dialect
from policies.errors import ClientError
from policies.genome import Genome
from policies.memory import Entry
from policies.render import Renderer
from tests.policies.render.rendering import RULES, TARGET, genome
from tests.policies.shapes import TEXT, json_values, messages

EVERY = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
LONG = 2**64
ASKING: dict[str, dict[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": "Hi"}]},
    "completions": {"prompt": "Hi"},
    "responses": {"input": "Hi"},
    "messages": {"messages": [{"role": "user", "content": "Hi"}]},
}


@st.composite
def odd_bodies(draw: st.DrawFn) -> dict[str, Any]:
    content = TEXT | messages() | json_values()
    names = ("messages", "input", "prompt", "system", "instructions", "tools", "metadata", "conversation", "thinking")
    return draw(st.fixed_dictionaries({}, optional=dict.fromkeys(names, content) | {"stream": st.booleans()}))


@EVERY
@given(body=odd_bodies())
def test_an_empty_genome_changes_nothing(dialect: Dialect, body: dict[str, Any]) -> None:
    assert Renderer(Genome(), None, (), dialect.vocabulary).render(body) == orjson.dumps(body)


@EVERY
@given(body=odd_bodies(), placement=st.sampled_from(["before", "after", "replace"]), memory=st.booleans())
def test_any_shape_renders_or_is_the_clients_error(
    dialect: Dialect, body: dict[str, Any], placement: str, memory: bool
) -> None:
    full = genome({**RULES, "placement": placement, "few_shots": [{"user": "a", "assistant": "b"}]}, temperature=0.5)
    before = copy.deepcopy(body)
    try:
        found = Renderer(full, TARGET, (), dialect.vocabulary).render(body, [Entry("m", "x")] * memory, ask_usage=True)
    except ClientError:
        pass
    else:
        assert b"Be kind.\\nBe exact." in found
    assert body == before
    turns = dialect.turns(body)
    assert isinstance(turns.text, str)
    assert turns.turn >= 0


@EVERY
@pytest.mark.parametrize("number", [LONG, -(2**63) - 1, 10**40])
def test_long_integers_go_up_as_they_came(dialect: Dialect, number: int) -> None:
    sent = {**ASKING[dialect.name], "seed": number, "tools": [{"schema": {"maximum": number}}], "temperature": 0.25}
    raw = json.dumps(sent, ensure_ascii=False).encode()
    renderer = Renderer(genome({"rubric": ["G ü"]}, top_p=0.5), TARGET, (), dialect.vocabulary)
    found = json.loads(renderer.render(orjson.loads(raw), raw=raw))
    assert {name: found[name] for name in ("seed", "tools", "temperature", "top_p")} == {
        "seed": number,
        "tools": sent["tools"],
        "temperature": 0.25,
        "top_p": 0.5,
    }
    assert found["model"] == TARGET.model
    assert "G ü" in json.dumps(found, ensure_ascii=False)


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 1e300])
def test_other_numbers_take_the_quick_way(number: float) -> None:
    raw = json.dumps({**ASKING["chat"], "seed": number}).encode()
    assert Renderer(Genome(), None).render(orjson.loads(raw), raw=raw) == orjson.dumps(orjson.loads(raw))


def test_digits_in_words_are_no_numbers() -> None:
    words = "order " + "7" * 40
    sent = {"messages": [{"role": "user", "content": words}], "metadata": {"order": words}, "seed": 7}
    found = Renderer(genome(temperature=0.5), None).render(sent, raw=orjson.dumps(sent))
    assert json.loads(found) == {**sent, "temperature": 0.5}


def test_numbers_beyond_what_can_be_read_are_the_clients() -> None:
    raw = b'{"messages": [], "tools": [' + b"1" * 5_000 + b"]}"
    with pytest.raises(ClientError, match="numbers"):
        Renderer(Genome(), None).render({"messages": [], "tools": [1e300]}, raw=raw)
