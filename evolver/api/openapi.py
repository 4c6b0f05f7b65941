"""The API's own description (OpenAPI 3.1), from the routes and the models that check the bodies.

What an operation answers stands in `ANSWERS`; a route without a row there is an error when this is imported.
"""

from collections.abc import Iterable

from aiohttp import web
from pydantic import BaseModel

from evolver.api import improvement, records, services, train, words
from evolver.api.idempotency import HEADER
from evolver.api.paging import DEFAULT, MOST
from evolver.api.schemas import ANSWERS, ERROR, STRING, Schema
from evolver.services import messages

BODIES: dict[str, type[BaseModel]] = {
    "/api/v1/improvement/trigger": improvement.TriggerBody,
    "/api/v1/versions/{version}/restore": records.RestoreBody,
    **{route.path: words.WordBody for route in words.ROUTES},
    "/api/v1/cluster": messages.ClusterRequest,
    "/api/v1/generate-patches": messages.PatchesRequest,
    "/api/v1/rank": messages.RankRequest,
    "/api/v1/train": train.TrainBody,
}
_ERRORS = {
    400: "something about the request is wrong: the message says what",
    401: "a token is needed",
    403: "the request comes from another origin",
    404: "no policy, version, candidate or path of that name",
    409: "it can't be done as things are, or the same request still runs",
    412: "`If-Match` names a state that is not there any more",
    413: "the body is too large",
    422: "the idempotency key was used for another request",
    500: "a fault here",
    502: "a provider that was asked did not answer as it should",
    503: "the registry or a file can't be used: ask again later",
}


def _query(name: str, schema: Schema, what: str) -> Schema:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": what}


def _header(name: str, what: str) -> Schema:
    return {"name": name, "in": "header", "required": False, "schema": STRING, "description": what}


def _parameters(method: str, path: str, answer: Schema) -> list[Schema]:
    found = [_query("policy", STRING, "one policy only, or, where one is needed, instead of the first")]
    in_path = [name for name in ("version", "candidate") if f"{{{name}}}" in path]
    found += [{"name": name, "in": "path", "required": True, "schema": STRING} for name in in_path]
    if "next" in answer.get("properties", {}):
        limit = {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT}
        found += [_query("limit", limit, "rows of a page"), _query("after", STRING, "the `next` of the page before")]
    if method == "POST":
        found.append(_header(HEADER, "sent again with the same content, the request gets the answer that it had"))
    if path.endswith("/restore"):
        found.append(_header("If-Match", "the ETag of production that the caller has seen"))
    if "{candidate}" in path:
        found.append(_header("If-Match", "the ETag of the candidate that the caller has seen: its id and revision"))
    return found


def _operation(method: str, path: str, summary: str) -> Schema:
    status, answer = ANSWERS[method, path]
    done: Schema = {"description": "done", "content": {"application/json": {"schema": answer}}}
    if "versions" in path or "{candidate}" in path:
        whose = "the policy's production" if "versions" in path else "the candidate"
        done["headers"] = {"ETag": {"schema": STRING, "description": f"stands for {whose}"}}
    error = {"$ref": "#/components/schemas/Error"}
    operation: Schema = {
        "summary": summary,
        "parameters": _parameters(method, path, answer),
        "responses": {
            str(status): done,
            **{
                str(code): {"description": what, "content": {"application/json": {"schema": error}}}
                for code, what in _ERRORS.items()
            },
        },
    }
    if path in BODIES:
        schema = BODIES[path].model_json_schema()
        operation["requestBody"] = {"required": False, "content": {"application/json": {"schema": schema}}}
    return operation


def describe(routes: Iterable[web.RouteDef], title: str = "EvoGate evolver") -> Schema:
    """The description of an application that serves these routes."""
    paths: Schema = {}
    for route in routes:
        summary = (route.handler.__doc__ or "").partition("\n")[0]
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route.method, route.path, summary)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1"},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": ERROR},
        },
        "security": [{}, {"token": []}],
        "paths": paths,
    }


ROUTES = (*improvement.ROUTES, *records.ROUTES, *words.ROUTES, *services.ROUTES)
DESCRIPTION = describe(ROUTES)
