"""Deterministic checks of an answer, each a number from 0 (wrong) to 1 (right), present only where it applies.

| name          | applies to                                       | checks                                            |
| ------------- | ------------------------------------------------ | ------------------------------------------------- |
| `json_schema` | requests for JSON, see `wants_structure`         | the text is JSON and fits the schema              |
| `tool_args`   | answers with tool calls                          | the share of calls whose arguments fit the tool   |
| `safety`      | answers with text                                | no credential in it that the request did not hold |
| `regex`       | answers with text; `regex_2`... for further ones | the pattern is found in the text                  |

Schemas come from clients: references to other documents are never fetched, patterns run in linear time, and a schema
that can't be compiled makes its check not apply, for the provider is the one to refuse it.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from policies.errors import OperatorError
from policies.lint import SECRET
from policies.outcome.answer import Answer, as_list, as_object

if TYPE_CHECKING:
    import jsonschema_rs

Check = Callable[[dict[str, Any], Answer], float | None]
_COMPLAINT_CHARS: Final = 300
_SCHEMA_LIMIT: Final = 262_144  # bytes of a schema that is still compiled
_SAID: Final = ("messages", "prompt", "input", "instructions", "system")
_STRUCTURED: Final = frozenset({"response_format", "text", "output_config"})
_ANY_OBJECT: Final[dict[str, Any]] = {"type": "object"}


class Validators:
    """The checks of one policy.

    Args:
        specs: names, or ("regex", pattern).

    Raises:
        OperatorError: an unknown name, or a pattern that is no regular expression.
    """

    def __init__(self, specs: Sequence[str | tuple[str, str]]) -> None:
        self._checks: dict[str, Check] = {}
        for spec in specs:
            name, check = _compile(spec)
            number = 1 + sum(known.partition("_")[0] == name for known in self._checks if name == "regex")
            self._checks[name if number == 1 else f"{name}_{number}"] = check

    def run(self, body: dict[str, Any], answer: Answer) -> dict[str, float]:
        """Name -> value of the checks that apply to this answer to this request."""
        results = ((name, check(body, answer)) for name, check in self._checks.items())
        return {name: value for name, value in results if value is not None}


def wants_structure(body: dict[str, Any]) -> bool:
    """Whether a request may demand JSON: `response_format`, `text.format` or `output_config.format`."""
    return not _STRUCTURED.isdisjoint(body)


def complaints(body: dict[str, Any], answer: Answer) -> list[str]:
    """What `json_schema` and `tool_args` have against an answer, as sentences; the first of each text."""
    schema, tools = _wanted_schema(body), _tools(body)
    found = [_complaint("It", schema, answer.text)] if schema is not None and answer.text else []
    for call in answer.tool_calls:
        what = f"The call of {call['name']!r}"
        known = call["name"] in tools
        found.append(
            _complaint(what, tools[call["name"]], call["arguments"] or "{}") if known else f"{what} names no tool."
        )
    return [complaint for complaint in found if complaint]


def _complaint(what: str, schema: dict[str, Any], text: str) -> str:
    try:
        value = orjson.loads(text)
        compiled = _compiled(orjson.dumps(schema))
    except orjson.JSONDecodeError as error:
        return f"{what} is not valid JSON: {error}."
    except orjson.JSONEncodeError:
        return ""
    wrong = next(compiled.iter_errors(value), None) if compiled is not None else None
    if wrong is None:
        return ""
    path = "".join(f"[{part!r}]" for part in wrong.instance_path)
    return f"{what} does not fit the schema{f' at {path}' if path else ''}: {wrong.message[:_COMPLAINT_CHARS]}."


def _compile(spec: str | tuple[str, str]) -> tuple[str, Check]:
    if isinstance(spec, tuple):
        name, pattern = spec
        if name == "regex":
            return name, _regex(pattern)
        spec = name
    if spec not in _NAMED:
        raise OperatorError(f"validators: '{spec}' is not known; known: {', '.join(sorted(_NAMED))}, regex")
    return spec, _NAMED[spec]


def _regex(pattern: str) -> Check:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise OperatorError(f"validators: '{pattern}' is no regular expression: {error}") from error
    return lambda _, answer: float(compiled.search(answer.text) is not None) if answer.text else None


def _json_schema(body: dict[str, Any], answer: Answer) -> float | None:
    schema = _wanted_schema(body)
    if schema is None or (answer.tool_calls and not answer.text):
        return None
    return _fits(schema, answer.text)


def _wanted_schema(body: dict[str, Any]) -> dict[str, Any] | None:
    """The schema that the request demands: by chat's name for it, by that of responses, or by that of messages."""
    wanted = as_object(
        body.get("response_format")
        or as_object(body.get("text")).get("format")
        or as_object(body.get("output_config")).get("format")
    )
    match wanted.get("type"):
        case "json_object":
            return _ANY_OBJECT
        case "json_schema":
            return as_object((as_object(wanted.get("json_schema")) or wanted).get("schema")) or _ANY_OBJECT
        case _:
            return None


def _tool_args(body: dict[str, Any], answer: Answer) -> float | None:
    if not answer.tool_calls:
        return None
    schemas = _tools(body)
    values = [
        _fits(schemas[call["name"]], call["arguments"] or "{}") if call["name"] in schemas else 0.0
        for call in answer.tool_calls
    ]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _tools(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Name -> schema of the arguments. Chat wraps tools in `function`; messages call the schema `input_schema`."""
    listed = [as_object(tool) for name in ("tools", "functions") for tool in as_list(body.get(name))]
    functions = [as_object(tool.get("function")) or tool for tool in listed]
    return {
        tool["name"]: as_object(tool.get("parameters")) or as_object(tool.get("input_schema")) or _ANY_OBJECT
        for tool in functions
        if type(tool.get("name")) is str
    }


def _safety(body: dict[str, Any], answer: Answer) -> float | None:
    if not answer.text:
        return None
    leaked = {match.group() for match in SECRET.finditer(answer.text)}
    if not leaked:
        return 1.0
    sent = orjson.dumps([body.get(name) for name in _SAID]).decode()
    return float(all(secret in sent for secret in leaked))


_NAMED: Final[dict[str, Check]] = {"json_schema": _json_schema, "tool_args": _tool_args, "safety": _safety}


def _fits(schema: dict[str, Any], text: str) -> float | None:
    """Whether a text is JSON that fits; None where the schema itself is of no use."""
    try:
        compiled = _compiled(orjson.dumps(schema))
    except orjson.JSONEncodeError:  # nested deeper than orjson writes
        return None
    if compiled is None:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return 0.0
    return float(compiled.is_valid(value))


@lru_cache(maxsize=256)
def _compiled(schema: bytes) -> "jsonschema_rs.Validator | None":
    import jsonschema_rs  # here, for it takes 4 MB, and most requests have no schema

    if len(schema) > _SCHEMA_LIMIT:
        return None
    try:
        return jsonschema_rs.validator_for(
            orjson.loads(schema), offline=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    except ValueError:  # the root of that library's errors
        return None
