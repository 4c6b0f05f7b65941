from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given

from policies.errors import OperatorError
from policies.outcome import Answer
from policies.validators import Validators, _compiled, wants_structure
from tests.policies.shapes import TEXT, json_values

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def schema_body(schema: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}


def tools_body(**parameters: Any) -> dict[str, Any]:
    return {
        "tools": [
            {"type": "function", "function": {"name": name, "parameters": schema}}
            for name, schema in parameters.items()
        ]
    }


def calls(*made: tuple[str, str]) -> Answer:
    return Answer(tool_calls=[{"id": "c", "name": name, "arguments": arguments} for name, arguments in made])


@pytest.mark.parametrize(
    ("body", "text", "expected"),
    [
        (schema_body(CITY), '{"city": "Oslo"}', {"json_schema": 1.0}),
        (schema_body(CITY), '{"city": 1}', {"json_schema": 0.0}),
        (schema_body(CITY), '{"city": "Os', {"json_schema": 0.0}),
        (schema_body(CITY), "Oslo", {"json_schema": 0.0}),
        ({"response_format": {"type": "json_object"}}, "{}", {"json_schema": 1.0}),
        ({"response_format": {"type": "json_object"}}, "[]", {"json_schema": 0.0}),
        ({"response_format": {"type": "text"}}, "x", {}),
        ({}, "x", {}),
        ({"response_format": 7}, "x", {}),
        (schema_body({"type": "nonsense"}), "{}", {}),  # the provider refuses such a schema
        (schema_body({"pattern": "(?=a)b"}), '"b"', {}),  # not a pattern of linear time
        (schema_body({"enum": ["x" * 300_000]}), "{}", {}),
    ],
)
def test_json_schema(body: dict[str, Any], text: str, expected: dict[str, float]) -> None:
    assert Validators(["json_schema"]).run(body, Answer(text=text)) == expected


@pytest.mark.parametrize(
    "body",
    [
        schema_body(CITY),
        {"text": {"format": {"type": "json_schema", "name": "x", "schema": CITY}}},
        {"output_config": {"format": {"type": "json_schema", "schema": CITY}}},
    ],
)
def test_every_endpoint_demands_json_in_its_own_words(body: dict[str, Any]) -> None:
    checks = Validators(["json_schema"])
    assert wants_structure(body)
    assert checks.run(body, Answer(text='{"city": "Oslo"}')) == {"json_schema": 1.0}
    assert checks.run(body, Answer(text='{"city": 1}')) == {"json_schema": 0.0}
    assert not wants_structure({"messages": []})
    assert checks.run({"text": {"verbosity": "low"}}, Answer(text="x")) == {}


@pytest.mark.parametrize(
    "tools",
    [
        {"tools": [{"type": "function", "function": {"name": "find", "parameters": CITY}}]},
        {"functions": [{"name": "find", "parameters": CITY}]},
        {"tools": [{"type": "function", "name": "find", "parameters": CITY}, {"type": "web_search"}]},
        {"tools": [{"name": "find", "input_schema": CITY}]},
    ],
)
def test_every_endpoint_has_tools_of_its_own_shape(tools: dict[str, Any]) -> None:
    checks = Validators(["tool_args"])
    assert checks.run(tools, calls(("find", '{"city": "Oslo"}'))) == {"tool_args": 1.0}
    assert checks.run(tools, calls(("find", "{}"))) == {"tool_args": 0.0}


@pytest.mark.parametrize("field", ["messages", "prompt", "input", "instructions", "system"])
def test_a_credential_that_the_request_held_is_no_leak(field: str) -> None:
    key = "sk-" + "a1B2" * 10
    assert Validators(["safety"]).run({field: f"my key is {key}"}, Answer(text=key)) == {"safety": 1.0}


def test_references_are_never_fetched(tmp_path: Path) -> None:
    elsewhere = tmp_path / "schema.json"
    elsewhere.write_bytes(orjson.dumps(CITY))
    for reference in (elsewhere.as_uri(), "http://127.0.0.1:9/schema.json"):
        assert Validators(["json_schema"]).run(schema_body({"$ref": reference}), Answer(text="{}")) == {}
    inside = {"$defs": {"city": CITY}, "$ref": "#/$defs/city"}
    assert Validators(["json_schema"]).run(schema_body(inside), Answer(text="{}")) == {"json_schema": 0.0}


def test_a_tool_call_instead_of_json_is_no_failure_of_the_schema() -> None:
    assert Validators(["json_schema"]).run(schema_body(CITY), calls(("f", "{}"))) == {}


def test_patterns_run_in_linear_time() -> None:
    body = schema_body({"type": "string", "pattern": "^(a+)+$"})
    assert Validators(["json_schema"]).run(body, Answer(text=f'"{"a" * 50_000}b"')) == {"json_schema": 0.0}


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ([("find", '{"city": "Oslo"}')], 1.0),
        ([("find", "{}")], 0.0),
        ([("find", '{"city": "Oslo"}'), ("find", "{")], 0.5),
        ([("invented", "{}")], 0.0),
        ([("free", '{"anything": 1}')], 1.0),
        ([("free", "")], 1.0),  # some providers send nothing for no arguments
        ([("free", "[]")], 0.0),
    ],
)
def test_tool_args(made: list[tuple[str, str]], expected: float) -> None:
    body = tools_body(find=CITY, free=None)
    assert Validators(["tool_args"]).run(body, calls(*made)) == {"tool_args": expected}


def test_tool_args_need_a_call() -> None:
    assert Validators(["tool_args"]).run(tools_body(find=CITY), Answer(text="no call")) == {}


def test_safety_finds_credentials_that_the_request_did_not_hold() -> None:
    key = "sk-abcdefghijklmnopqrstuvwx"
    safety = Validators(["safety"])
    assert safety.run({}, Answer(text=f"use {key}")) == {"safety": 0.0}
    assert safety.run({"messages": [{"role": "user", "content": key}]}, Answer(text=f"use {key}")) == {"safety": 1.0}
    assert safety.run({}, Answer(text="hello")) == {"safety": 1.0}
    assert safety.run({}, Answer()) == {}


def test_regexes_are_numbered() -> None:
    validators = Validators([("regex", "^Dear"), "json_schema", ("regex", "Yours$"), ("regex", "x")])
    assert validators.run({}, Answer(text="Dear Ann, Yours")) == {"regex": 1.0, "regex_2": 1.0, "regex_3": 0.0}
    assert validators.run({}, Answer()) == {}


@pytest.mark.parametrize(
    ("spec", "message"),
    [("spelling", "'spelling' is not known"), (("glob", "x"), "'glob'"), (("regex", "("), "no regular expression")],
)
def test_bad_specs_are_the_operators(spec: Any, message: str) -> None:
    with pytest.raises(OperatorError, match=message):
        Validators([spec])


def test_compiled_schemas_are_shared_and_bounded() -> None:
    _compiled.cache_clear()
    for _ in range(3):
        Validators(["json_schema"]).run(schema_body(CITY), Answer(text="{}"))
    assert (_compiled.cache_info().hits, _compiled.cache_info().misses) == (2, 1)
    for number in range(300):
        Validators(["json_schema"]).run(schema_body({"maxLength": number}), Answer(text="{}"))
    assert _compiled.cache_info().currsize == 256


@given(json_values(), json_values(), json_values(), TEXT)
def test_any_request_and_answer_give_values_from_0_to_1(form: Any, schema: Any, tools: Any, text: str) -> None:
    everything = Validators(["json_schema", "tool_args", "safety", ("regex", "a")])
    answer = Answer(text=text, tool_calls=[{"id": "", "name": text, "arguments": text}])
    for body in ({"response_format": form, "tools": tools}, {**schema_body(schema), **tools_body(f=schema)}):
        values = everything.run(body, answer)
        assert all(0.0 <= value <= 1.0 for value in values.values())
        orjson.dumps(values)
