"""The API's own description (OpenAPI 3.1), from the same models that check the bodies."""

from typing import Any

from pydantic import BaseModel

from evolver.api import improvement, records, services

_BODIES: dict[str, type[BaseModel]] = {
    "/api/v1/improvement/trigger": improvement.TriggerBody,
    "/api/v1/versions/{version}/restore": records.RestoreBody,
    "/api/v1/cluster": services.ClusterBody,
    "/api/v1/generate-patches": services.PatchesBody,
    "/api/v1/rank": services.RankBody,
}
_BY_POLICY = {"name": "policy", "in": "query", "required": False, "schema": {"type": "string"}}


def _operation(path: str, summary: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {"2XX": {"description": "done"}, "4XX": {"description": "an error envelope"}},
        "parameters": [_BY_POLICY],
    }
    if "{version}" in path:
        label = {"name": "version", "in": "path", "required": True, "schema": {"type": "string"}}
        operation["parameters"] = [label, _BY_POLICY]
    if path in _BODIES:
        schema = _BODIES[path].model_json_schema()
        operation["requestBody"] = {"required": False, "content": {"application/json": {"schema": schema}}}
    return operation


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for route in (*improvement.ROUTES, *records.ROUTES, *services.ROUTES):
        summary = (route.handler.__doc__ or "").partition("\n")[0]
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route.path, summary)
    return paths


DESCRIPTION: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "EvoGate evolver", "version": "1"},
    "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    "security": [{}, {"token": []}],
    "paths": _paths(),
}
