import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from policies.dialects import RESPONSES
from policies.render import Turns
from policies.unit import Conversation, Lineages, identify
from tests.policies.shapes import json_values, odd_bodies

KEY = b"k" * 32


def unit_of(request: dict[str, Any] | Turns, **options: Any) -> str:
    return of(request, **options).unit


def of(request: dict[str, Any] | Turns, **options: Any) -> Conversation:
    return identify(request, **{"key": KEY, "session": None, "credential": b"Bearer a", **options})


def chat(*messages: tuple[str, Any], **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in messages], **fields}


def test_later_turns_of_a_conversation_are_the_same_unit() -> None:
    first = of(chat(("system", "It is 10:00"), ("user", "hi")))
    second = of(chat(("system", "It is 10:05"), ("user", "hi"), ("assistant", "hello"), ("user", "and now?")))
    assert first.unit == second.unit
    assert (first.turn, first.continued) == (1, False)
    assert (second.turn, second.continued) == (2, True)


def test_what_tells_conversations_apart() -> None:
    body = chat(("user", "hi"))
    units = {
        unit_of(body),
        unit_of(chat(("user", "hello"))),
        unit_of({**body, "user": "ann"}),
        unit_of({**body, "user": "bob"}),
        unit_of(body, credential=b"Bearer b"),
        unit_of(body, credential=None),
        unit_of(body, key=b"other"),
        unit_of(body, session=b"s1"),
        unit_of(chat(("user", [{"type": "text", "text": "hi"}]))),
    }
    assert len(units) == 9


def test_parts_of_the_identity_do_not_run_into_each_other() -> None:
    assert unit_of(chat(("user", "b")), credential=b"a") != unit_of(chat(("user", "")), credential=b"ab")
    assert unit_of(chat(("user", "b"), user="a")) != unit_of(chat(("user", "ab")))


def test_a_session_decides_alone() -> None:
    one = unit_of(chat(("user", "hi")), session=b"s1")
    assert one == unit_of(chat(("user", "bye")), session=b"s1", credential=b"Bearer b")
    assert one != unit_of(chat(("user", "hi")), session=b"s2")


def test_the_policys_header_comes_before_the_session() -> None:
    body = chat(("user", "hi"))
    named = unit_of(body, kind="header:x-customer", header=b"c7", session=b"s1")
    assert named == unit_of(chat(("user", "bye")), kind="header:x-customer", header=b"c7")
    assert named != unit_of(body, session=b"c7")
    assert unit_of(body, kind="header:x-customer", header=None) == unit_of(body)


def test_requests_as_units_are_never_in_the_middle() -> None:
    body = chat(("user", "hi"), ("assistant", "hello"), ("user", "more"))
    one = of(body, kind="request", header=b"id-1")
    assert one.unit != unit_of(body, kind="request", header=b"id-2")
    assert not one.continued


def response(**fields: Any) -> Turns:
    return RESPONSES.turns({"input": "and now?", **fields})


def test_a_stored_answer_names_its_unit() -> None:
    lineages = Lineages()
    first = of(response(), lineages=lineages)
    lineages.answered(response(), "resp_1", first.unit, first.turn)
    second = of(response(previous_response_id="resp_1"), lineages=lineages)
    assert second == Conversation(first.unit, 2, continued=True)
    lineages.answered(response(previous_response_id="resp_1"), "resp_2", second.unit, second.turn)
    third = of(response(previous_response_id="resp_2"), lineages=lineages)
    assert (third.unit, third.turn) == (first.unit, 3)
    again = of(response(previous_response_id="resp_1"), lineages=lineages)
    assert again == second  # the same turn once more, or a branch
    assert of(response(previous_response_id="resp_1"), lineages=lineages, session=b"s").unit != first.unit


def test_a_stored_conversation_is_a_unit() -> None:
    lineages = Lineages()
    first = of(response(conversation="conv_1"), lineages=lineages)
    assert (first.turn, first.continued) == (1, False)
    assert first.unit != unit_of(response(conversation={"id": "conv_2"}))
    assert first.unit != unit_of(response(conversation="conv_1"), credential=b"Bearer b")
    lineages.answered(response(conversation="conv_1"), "resp_1", first.unit, first.turn)
    for parent in ({"conversation": {"id": "conv_1"}}, {"previous_response_id": "resp_1"}):
        found = of(response(**parent), lineages=lineages)
        assert (found.unit, found.turn) == (first.unit, 2)


def test_an_unknown_parent_was_met_in_the_middle() -> None:
    found = of(response(previous_response_id="resp_9"), lineages=Lineages())
    assert found.continued
    assert found == of(response(previous_response_id="resp_9"))
    assert found.unit != unit_of(response())


def test_lineages_are_bounded_and_forget_the_oldest() -> None:
    lineages = Lineages(capacity=2)
    for name in ("a", "b", "a", "c", ""):
        lineages.answered(Turns(), name, f"unit-{name}", 1)
    assert [lineages.find(name) for name in ("a", "b", "c", "")] == [("unit-a", 1), None, ("unit-c", 1), None]


@given(odd_bodies(), st.none() | st.binary(max_size=20), st.none() | st.binary(max_size=20))
def test_any_shape_has_a_unit(body: dict[str, Any], session: bytes | None, credential: bytes | None) -> None:
    found = identify(body, key=KEY, session=session, credential=credential)
    assert re.fullmatch(r"[0-9a-f]{16}", found.unit)
    assert found.turn >= 1
    assert found == identify(body, key=KEY, session=session, credential=credential)


@given(json_values())
def test_system_text_never_matters(content: Any) -> None:
    assert unit_of(chat(("system", content), ("user", "hi"))) == unit_of(chat(("user", "hi")))
