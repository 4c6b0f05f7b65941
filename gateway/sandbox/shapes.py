"""Values for JSON schemas that the sandbox has never seen: plausible in shape, empty of meaning."""

from collections.abc import Mapping
from typing import Any

_DEPTH = 6


def fill(schema: Mapping[str, Any], text: str, depth: int = 0) -> Any:
    """A value of that JSON Schema (type, properties, items, enum, const, anyOf); strings hold `text`."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if schema.get("anyOf") and depth < _DEPTH:
        return fill(schema["anyOf"][0], text, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    return _of_type(kind or "object", schema, text, depth)


def _of_type(kind: str, schema: Mapping[str, Any], text: str, depth: int) -> Any:
    if kind == "object" and depth < _DEPTH:
        properties = schema.get("properties") or {}
        return {name: fill(value, text, depth + 1) for name, value in properties.items() if isinstance(value, dict)}
    if kind == "array":
        count = schema.get("minItems", 0) if depth < _DEPTH else 0
        return [fill(schema.get("items") or {}, text, depth + 1) for _ in range(min(count, 16))]
    plain: dict[str, Any] = {"string": text, "integer": 1, "number": 1.0, "boolean": True, "object": {}}
    return plain.get(kind)
