"""What OpenAI would refuse, refused the same way."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.sandbox.models import ALL_MODELS, CHAT_MODELS, EMBEDDING
from policies.errors import ClientError

MAX_CHOICES = 8
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


class RefusedError(ClientError):
    """A request that gets an error envelope instead of an answer."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code


_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def envelope(message: str, *, status: int, param: str | None = None, code: str | None = None) -> bytes:
    """`{"error": {"message", "type", "param", "code"}}`, the type by status."""
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


@dataclass(frozen=True, slots=True)
class Parameter:
    """Type and range of one optional request field."""

    kinds: tuple[type, ...]
    expected: str
    low: float | None = None
    high: float | None = None


_NUMBER = ((int, float), "a number")
_INTEGER = ((int,), "an integer")
_CHAT = {
    "temperature": Parameter(*_NUMBER, 0.0, 2.0),
    "top_p": Parameter(*_NUMBER, 0.0, 1.0),
    "presence_penalty": Parameter(*_NUMBER, -2.0, 2.0),
    "frequency_penalty": Parameter(*_NUMBER, -2.0, 2.0),
    "max_tokens": Parameter(*_INTEGER, 1),
    "max_completion_tokens": Parameter(*_INTEGER, 1),
    "n": Parameter(*_INTEGER, 1, MAX_CHOICES),
    "seed": Parameter(*_INTEGER),
    "stream": Parameter((bool,), "a boolean"),
    "stream_options": Parameter((dict,), "an object"),
    "stop": Parameter((str, list), "a string or an array of strings"),
    "tools": Parameter((list,), "an array of objects"),
    "tool_choice": Parameter((str, dict), "a string or an object"),
    "response_format": Parameter((dict,), "an object"),
    "user": Parameter((str,), "a string"),
}
_FORMATS = frozenset({"text", "json_object", "json_schema"})


def parse_json(raw: bytes) -> dict[str, Any]:
    """The request's JSON object.

    Raises:
        RefusedError: 400, it is not JSON or not an object.
    """
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise RefusedError(f"We could not parse the JSON body of your request: {error}.") from None
    if not isinstance(body, dict):
        raise RefusedError("The JSON body of your request must be an object.")
    return body


def check_chat(body: Mapping[str, Any]) -> None:
    """Check a chat completion request.

    Raises:
        RefusedError: 400 for a wrong type or value, 404 for an unknown model.
    """
    check_model(body, CHAT_MODELS)
    _check_messages(body.get("messages"))
    for name, parameter in _CHAT.items():
        if (value := body.get(name)) is not None:
            _check(name, value, parameter)
    if body.get("stream_options") is not None and not body.get("stream"):
        raise RefusedError("'stream_options' is only allowed when 'stream' is enabled.", param="stream_options")
    _check_tools(body.get("tools") or ())
    _check_format(body.get("response_format") or {"type": "text"})


def check_embeddings(body: Mapping[str, Any]) -> None:
    """Check an embeddings request; raises RefusedError like `check_chat`."""
    check_model(body, (EMBEDDING,))
    _check("dimensions", body.get("dimensions") or 256, Parameter(*_INTEGER, 1, 4096))
    if not isinstance(body.get("input"), str | list) or not body["input"]:
        raise _wrong_type("input", "a string or an array", body.get("input"))
    if body.get("encoding_format") not in (None, "float", "base64"):
        raise RefusedError(
            "'encoding_format' must be 'float' or 'base64'.", param="encoding_format", code="invalid_value"
        )


def check_model(body: Mapping[str, Any], known: Collection[str]) -> None:
    """Check that the request names a model that this endpoint serves; raises RefusedError."""
    model = body.get("model")
    if model is None:
        raise RefusedError("you must provide a model parameter")
    if not isinstance(model, str):
        raise _wrong_type("model", "a string", model)
    if model not in ALL_MODELS:
        raise unknown_model(model)
    if model not in known:
        raise RefusedError(f"The model '{model}' is not served at this endpoint.", param="model", code="invalid_value")


def unknown_model(model: str) -> RefusedError:
    """The error that names a model nobody has."""
    message = f"The model '{model}' does not exist; there are: {', '.join(ALL_MODELS)}."
    return RefusedError(message, status=404, param="model", code="model_not_found")


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list):
        raise _wrong_type("messages", "an array of objects", messages)
    if not messages:
        raise RefusedError("'messages' must hold at least one message.", param="messages", code="empty_array")
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        if not isinstance(message, dict):
            raise _wrong_type(where, "an object", message)
        if message.get("role") not in _ROLES:
            raise RefusedError(f"Invalid value for '{where}.role'.", param=f"{where}.role", code="invalid_value")
        if not isinstance(message.get("content"), str | list | None):
            raise _wrong_type(f"{where}.content", "a string or an array of parts", message["content"])


def _check(name: str, value: object, parameter: Parameter) -> None:
    if not isinstance(value, parameter.kinds) or (isinstance(value, bool) and bool not in parameter.kinds):
        raise _wrong_type(name, parameter.expected, value)
    if isinstance(value, int | float):
        _check_range(name, value, parameter)


def _check_range(name: str, value: float, parameter: Parameter) -> None:
    if parameter.low is not None and value < parameter.low:
        raise RefusedError(
            f"'{name}' must be at least {parameter.low:g}, got {value:g}.", param=name, code="decimal_below_min_value"
        )
    if parameter.high is not None and value > parameter.high:
        raise RefusedError(
            f"'{name}' must be at most {parameter.high:g}, got {value:g}.", param=name, code="decimal_above_max_value"
        )


def _check_tools(tools: Collection[object]) -> None:
    for place, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise RefusedError(
                f"Missing 'tools[{place}].function.name'.", param=f"tools[{place}]", code="missing_required_parameter"
            )


def _check_format(wanted: Mapping[str, Any]) -> None:
    kind = wanted.get("type")
    if kind not in _FORMATS:
        raise RefusedError(
            f"Invalid 'response_format.type': {kind!r}.", param="response_format.type", code="invalid_value"
        )
    section = wanted.get("json_schema")
    if kind == "json_schema" and not (isinstance(section, dict) and isinstance(section.get("schema", {}), dict)):
        raise RefusedError(
            "Missing 'response_format.json_schema'.", param="response_format", code="missing_required_parameter"
        )


def _wrong_type(name: str, expected: str, value: object) -> RefusedError:
    got = "null" if value is None else type(value).__name__
    return RefusedError(
        f"Invalid type for '{name}': expected {expected}, got {got} instead.", param=name, code="invalid_type"
    )
