"""The description is true: each operation answers what it says, refuses what it says, and nothing else is served."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from aiohttp.test_utils import TestClient, TestServer

from evolver.api import create_app
from evolver.api.openapi import DESCRIPTION
from evolver.daemon import Daemon
from policies.registry.operations import start_canary
from policies.registry.values import Finding, Incident
from tests.evolver.support import POLICY, START, World, exchange, make_settings, make_world, with_rule

Api = TestClient[Any, Any]
OPERATIONS = [(method, path) for path, found in DESCRIPTION["paths"].items() for method in found]
LIMITS = ("0", "1001", "-1", "ten", "", "1e3", "٣")
GOOD: dict[str, Any] = {
    "/api/v1/cluster": {"texts": ["one thing", "another thing", "a third thing", "one more thing"]},
    "/api/v1/rank": {"texts": ["Reply in JSON."]},
    "/api/v1/versions/{version}/restore": {"layer": "prompt", "policy": POLICY},
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """One of everything that can be listed."""
    async with make_world(tmp_path, make_settings()) as made:
        registry = made.registry
        await made.record(exchange(1, at=START))
        judged = await made.candidate("judged")
        tripped, experiment = await start_canary(registry, judged, who="t", reason="t", counted=True, now=START)
        await registry.close_experiment(experiment.id, "ROLL BACK", {"e": 1.0}, now=START + 5)
        await registry.advance(tripped, "trip", who="w0", reason="harm", now=START + 5)
        await registry.add_incident(Incident("i1", POLICY, "TRIP", START, judged.id, "bad", {}))
        await registry.add_findings([Finding("f1", POLICY, "repeated_failures", START, 0.5, "s", "r", {})])
        await made.candidate("judged", id="waiting", genome=with_rule(made.production.genome, "Be brief."))
        genome = judged.genome
        second = await registry.add_version(POLICY, genome, judged.lineage, who="t", why="t", now=START)
        await registry.move(POLICY, second.label, expected_revision=1, who="t", why="t", now=START)
        yield made


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with Daemon(world.settings, world.home) as daemon, TestClient(TestServer(create_app(daemon))) as client:
        yield client


def operation(method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = DESCRIPTION["paths"][path][method]
    return found


def url(path: str, version: str = "v1.0", candidate: str = "waiting") -> str:
    return path.replace("{version}", version).replace("{candidate}", candidate)


def conforms(described: dict[str, Any], status: int, value: Any) -> None:
    """The status is described, and the value is what its schema says."""
    assert str(status) in described["responses"], value
    schema = described["responses"][str(status)]["content"]["application/json"]["schema"]
    schema = {**schema, "components": DESCRIPTION["components"]}
    problems = [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(value)]
    assert problems == []


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_it_answers_what_it_describes(api: Api, method: str, path: str) -> None:
    described = operation(method, path)
    async with api.request(method, url(path), json=GOOD.get(path) if method == "post" else None) as answer:
        value = await answer.json()
        assert answer.status in (200, 202), value
        conforms(described, answer.status, value)
        (done,) = (found for status, found in described["responses"].items() if status == str(answer.status))
        assert [name for name in done.get("headers", {}) if name not in answer.headers] == []


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_it_refuses_what_it_does_not_describe(api: Api, method: str, path: str) -> None:
    described = operation(method, path)
    for arguments in _wrong(described, path):
        async with api.request(method, **arguments) as answer:
            value = await answer.json()
            assert 400 <= answer.status < 500, (arguments, value)
            conforms(described, answer.status, value)
            assert "\n" not in value["error"]["message"]


def _wrong(described: dict[str, Any], path: str) -> Iterator[dict[str, Any]]:
    """Requests that break one line of the description each."""
    if "requestBody" in described:
        schema = described["requestBody"]["content"]["application/json"]["schema"]
        for body in (b"{", b"[]", b'"text"', b'{"unknown": 1}'):
            yield {"path": url(path), "data": body}
        for name in schema["properties"]:
            yield {"path": url(path), "json": {**GOOD.get(path, {}), name: {"not": ["this"]}}}
        yield {"path": url(path), "json": {**GOOD.get(path, {}), "policy": "nobody's"}}
    yield from (wrong for parameter in described["parameters"] for wrong in _wrong_values(parameter["name"], path))


def _wrong_values(parameter: str, path: str) -> list[dict[str, Any]]:
    found: dict[str, list[dict[str, Any]]] = {
        "limit": [{"path": url(path), "params": {"limit": limit}} for limit in LIMITS],
        "after": [{"path": url(path), "params": {"after": "no such row"}}],
        "version": [{"path": url(path, "v9.9")}, {"path": url(path, "%00")}],
        "candidate": [{"path": url(path, candidate="nobody")}],
        "If-Match": [{"path": url(path), "headers": {"If-Match": '"waiting:999"'}, "json": GOOD.get(path)}],
    }
    return found.get(parameter, [])


async def test_nothing_is_served_that_is_not_described(world: World) -> None:
    async with Daemon(world.settings, world.home) as daemon:
        served = {
            (route.method.lower(), route.resource.canonical)
            for route in create_app(daemon).router.routes()
            if route.method != "HEAD" and route.resource is not None
        }
    others = {("get", "/health"), ("get", "/metrics"), ("get", "/openapi.json")}
    assert served == set(OPERATIONS) | others


async def test_other_methods_are_refused_with_those_allowed(api: Api) -> None:
    async with api.delete("/api/v1/versions") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
        assert set((await answer.json())["error"]) == {"message", "type", "param", "code"}


async def test_the_description_is_what_it_says_it_is(api: Api) -> None:
    async with api.get("/openapi.json") as answer:
        served = await answer.json()
    assert served["openapi"].startswith("3.1.")
    for path, found in served["paths"].items():
        for method, described in found.items():
            names = [parameter["name"] for parameter in described["parameters"]]
            assert ("version" in names) == ("{version}" in path)
            assert ("Idempotency-Key" in names) == (method == "post")
            assert described["summary"]
            for response in described["responses"].values():
                jsonschema_rs.validator_for(
                    {**response["content"]["application/json"]["schema"], "components": served["components"]}
                )
