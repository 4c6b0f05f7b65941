"""Answers as bytes, with the header fields that clients look at."""

from collections.abc import Iterable
from typing import Any

import orjson

from tests.faults import wire
from tests.faults.upstream import Answer

HEADERS = (
    b"x-request-id: req_fixture\r\nopenai-processing-ms: 7\r\nx-ratelimit-remaining-requests: 41\r\n"
    b"x-vendor-extra: kept\r\n"
)
REPLY = "The ferry leaves at nine."
TRIP = {"city": "\u00c5lesund \u4f60\u597d\u3053\u3093", "days": 3}
ARGUMENTS = orjson.dumps(TRIP).decode()


def as_json(value: object, status: str = "200 OK", extra: bytes = b"") -> Answer:
    """A whole answer."""
    return (wire.whole(orjson.dumps(value), status, HEADERS + extra),)


def refused(status: str, message: str, code: str, param: str | None = None) -> Answer:
    """OpenAI's envelope."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return as_json({"error": error}, status)


def events(values: Iterable[dict[str, Any]], *, named: bool = False, done: bool = True) -> Answer:
    """Server-sent events, a chunk each; `named` puts each one's `type` into an `event` line."""
    head = wire.STREAM_HEAD.replace(b"\r\n\r\n", b"\r\n" + HEADERS + b"\r\n")
    lines = [
        (b"event: " + value["type"].encode() + b"\n" if named else b"") + b"data: " + orjson.dumps(value) + b"\n\n"
        for value in values
    ]
    chunks = [wire.chunk(line) for line in (*lines, *((wire.DONE,) if done else ()))]
    return (head, *chunks, wire.LAST_CHUNK)


_FILLED: dict[str, Any] = {"integer": TRIP["days"], "number": TRIP["days"], "boolean": True}


def fill(schema: dict[str, Any], root: dict[str, Any] | None = None) -> Any:
    """A value that a JSON schema allows, as far as tools have been seen to ask."""
    root = root or schema
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        wanted = schema.get("required", ())
        return {name: fill(schema["properties"][name], root) for name in wanted}
    if schema.get("type") == "array":
        return [fill(schema["items"], root)]
    return _FILLED.get(schema.get("type", ""), TRIP["city"])


def words(text: str) -> list[str]:
    """Pieces that make up the text."""
    return text.replace(" ", " \0").split("\0")
