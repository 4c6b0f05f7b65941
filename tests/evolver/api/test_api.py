"""The API over a real daemon: what it answers, what it refuses."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Settings
from evolver.api import create_app
from evolver.api.common import DAEMON
from evolver.daemon import Daemon
from policies.registry.operations import start_canary
from policies.registry.values import Finding, Incident
from tests.evolver.support import POLICY, START, World, exchange, make_settings, make_world, signal, with_rule

Api = TestClient[Any, Any]


async def serve(world: World, settings: Settings) -> AsyncIterator[Api]:
    async with Daemon(settings, world.home) as daemon, TestClient(TestServer(create_app(daemon))) as client:
        yield client


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path, make_settings()) as made:
        yield made


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async for client in serve(world, world.settings):
        yield client


async def get(api: Api, path: str, status: int = 200, **headers: str) -> Any:
    async with api.get(path, headers=headers) as response:
        assert response.status == status, await response.text()
        return await response.json()


async def post(api: Api, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
    async with api.post(path, json=body, headers=headers) as response:
        assert response.status == status, await response.text()
        return await response.json()


async def test_status_answers_the_contract(world: World, api: Api) -> None:
    now = time.time()
    await world.record([*exchange(1, at=now, failure="refusal"), signal(2, "retry", at=now)])
    found = await get(api, "/api/v1/improvement/status")
    wanted = {"last_training_time", "learnings_since_training", "current_model", "training_runs", "improvement_score"}
    assert wanted | {"should_trigger", "trigger_reason", "last_check_time"} <= set(found)
    assert (found["current_model"], found["learnings_since_training"]) == ("v1.0", 2)
    assert (found["improvement_score"], found["frozen"], found["mode"]) == (0.0, False, "auto")


async def test_status_shows_running_evidence(world: World, api: Api) -> None:
    await world.candidate("shadow")
    found = await get(api, "/api/v1/improvement/status")
    assert [(one["state"], one["measured"]) for one in found["candidates"]] == [("shadow", {"shadow": {}})]


async def test_triggering(world: World, api: Api) -> None:
    found = await post(api, "/api/v1/improvement/trigger", {"simulate_learnings": 5}, status=202)
    assert set(found) == {"success", "message", "triggered_at"}
    stored = await world.registry.state("trigger")
    assert (stored["simulate_learnings"], stored["who"]) == (5, "api")
    await post(api, "/api/v1/improvement/trigger", status=202)


async def test_versions_and_selective_restore(world: World, api: Api) -> None:
    genome = with_rule(world.production.genome, "Another rule.")
    second = await world.registry.add_version(
        POLICY, genome, world.production.lineage, who="evolver", why="better", now=START
    )
    await world.registry.move(POLICY, second.label, expected_revision=1, who="evolver", why="better", now=START)
    listed = (await get(api, "/api/v1/versions"))["versions"]
    assert [(one["version"], one["production"]) for one in listed] == [("v1.1", True), ("v1.0", False)]
    await post(api, "/api/v1/versions/v1.0/restore", {"layer": "strategy"}, status=409)  # it is the same already
    restored = await post(api, "/api/v1/versions/v1.0/restore", {"layer": "prompt"})
    assert restored["version"] == "v1.2"
    pointer = await world.registry.production(POLICY)
    assert pointer is not None
    assert (pointer.version, pointer.who) == ("v1.2", "api")
    await post(api, "/api/v1/versions/v7.7/restore", status=404)
    await post(api, "/api/v1/versions/v1.0/restore", {"layer": "weather"}, status=400)


async def test_lists(world: World, api: Api) -> None:
    await world.registry.add_incident(Incident("i1", POLICY, "TRIP", START, "c", "bad", {}))
    await world.registry.add_findings([Finding("f1", POLICY, "repeated_failures", START, 0.5, "s", "r", {})])
    await world.candidate()
    assert [one["id"] for one in (await get(api, "/api/v1/incidents"))["incidents"]] == ["i1"]
    assert [one["id"] for one in (await get(api, "/api/v1/findings"))["findings"]] == ["f1"]
    assert (await get(api, "/api/v1/experiments"))["experiments"] == []
    (candidate,) = (await get(api, "/api/v1/candidates"))["candidates"]
    assert candidate["genome"]["prompt"]["rubric"][-1]["text"] == "Say the number first."


async def test_services(world: World, api: Api) -> None:
    texts = [f"translate sentence {n} into French" for n in range(20)] + [f"refund order {n} please" for n in range(20)]
    found = await post(api, "/api/v1/cluster", {"texts": texts})
    assert found["n"] == 40
    assert sum(one["size"] for one in found["clusters"]) == 40
    ranked = (await post(api, "/api/v1/rank", {"texts": ["Maybe try to do it.", "Reply in JSON.", "Reply in JSON."]}))[
        "ranked"
    ]
    assert [one["text"] for one in ranked] == ["Reply in JSON.", "Maybe try to do it.", "Reply in JSON."]
    assert [one["new"] for one in ranked] == [True, True, False]
    patches = await post(api, "/api/v1/generate-patches", {})
    assert patches["base"] == "v1.0"
    await post(api, "/api/v1/cluster", {"texts": [1]}, status=400)
    await post(api, "/api/v1/rank", {}, status=400)


async def test_descriptions_and_health(api: Api) -> None:
    paths = (await get(api, "/openapi.json"))["paths"]
    assert {"/api/v1/improvement/status", "/api/v1/versions/{version}/restore", "/api/v1/cluster"} <= set(paths)
    assert await get(api, "/health") == {"status": "ok"}
    async with api.get("/metrics") as response:
        text = await response.text()
    assert 'evogate_evolver_candidates{state="canary"} 0.0' in text


async def test_every_described_path_is_served(world: World, api: Api) -> None:
    await world.candidate("judged")
    for path, operations in (await get(api, "/openapi.json"))["paths"].items():
        for method in operations:
            url = path.replace("{version}", "v1.0").replace("{candidate}", "c0ffee")
            async with api.request(method, url, json={}) as response:
                assert response.status not in (404, 405, 500), path


async def test_errors_are_envelopes(api: Api) -> None:
    for path, status in (("/nowhere", 404), ("/api/v1/versions?policy=none", 404)):
        found = await get(api, path, status)
        assert set(found["error"]) == {"message", "type", "param", "code"}
    async with api.post("/api/v1/rank", data=b"{") as response:
        assert response.status == 400


async def test_pages_of_other_origins_are_refused(api: Api) -> None:
    await post(api, "/api/v1/improvement/trigger", status=403, origin="https://evil.example")
    await get(api, "/api/v1/findings", 403, origin="null")


async def test_a_token_guards_everything_but_health(world: World) -> None:
    settings = make_settings(host="0.0.0.0", token="s3cret")
    async for api in serve(world, settings):
        await get(api, "/health")
        for path in ("/metrics", "/openapi.json", "/api/v1/findings"):
            await get(api, path, 401)
            await get(api, path, 401, authorization="Bearer wrong")
        await get(api, "/api/v1/findings", authorization="Bearer s3cret")


async def test_a_restore_names_the_state_that_it_has_seen(world: World, api: Api) -> None:
    second = await world.registry.add_version(
        POLICY, with_rule(world.production.genome, "Another rule."), world.production.lineage,
        who="evolver", why="better", now=START,
    )  # fmt: skip
    async with api.get("/api/v1/versions/production") as answer:
        seen, shown = answer.headers["ETag"], await answer.json()
    assert (seen, shown["version"], shown["production"]) == (f'"{POLICY}:1"', "v1.0", True)
    await world.registry.move(POLICY, second.label, expected_revision=1, who="evolver", why="better", now=START)
    path = "/api/v1/versions/v1.0/restore"
    refused = await post(api, path, None, 412, **{"if-match": seen})
    assert "v1.1 at revision 2, moved by evolver" in refused["error"]["message"]
    for wrong in ('"other:2"', "2", '"support:x"', f'W/"{POLICY}:2"', f'"{POLICY}:-2"'):
        await post(api, path, None, 412, **{"if-match": wrong})
    async with api.post(path, headers={"if-match": f'"{POLICY}:2"'}) as answer:
        assert (answer.status, answer.headers["ETag"]) == (200, f'"{POLICY}:3"')
    await post(api, "/api/v1/versions/v1.1/restore", None, 200, **{"if-match": "*"})


async def test_a_manifest_holds_every_parameter(world: World, api: Api) -> None:
    found = await get(api, "/api/v1/versions/v1.0")
    assert found["layers"]["strategy"]["genes"]["model_key"] == "medium"
    assert found["layers"]["memory"]["genes"].keys() >= {"retriever_topk", "snapshot"}
    assert found["genome"] == world.production.genome.canonical()
    assert found["active"] == [{"from": START - 1000, "to": None}]
    other = world.production.genome.with_layer("prompt", with_rule(world.production.genome, "x"))
    await world.registry.add_version(POLICY, other, world.production.lineage, who="t", why="t", now=START)
    hashes = [{name: layer["hash"] for name, layer in (await get(api, f"/api/v1/versions/{label}"))["layers"].items()}
              for label in ("v1.0", "v1.1")]  # fmt: skip
    assert [name for name in hashes[0] if hashes[0][name] != hashes[1][name]] == ["prompt"]


async def test_lists_come_in_pages(world: World, api: Api) -> None:
    for n in range(5):
        await world.registry.add_incident(Incident(f"i{n}", POLICY, "PROVIDER", START + n, "u", "down", {}))
    pages, after = [], ""
    while True:
        found = await get(api, f"/api/v1/incidents?limit=2{after}")
        pages.append([one["id"] for one in found["incidents"]])
        if found["next"] is None:
            break
        after = f"&after={found['next']}"
        if len(pages) == 1:  # what comes meanwhile does not shift the pages behind it
            await world.registry.add_incident(Incident("i9", POLICY, "PROVIDER", START + 9, "u", "down", {}))
    assert pages == [["i4", "i3"], ["i2", "i1"], ["i0"]]


async def test_an_incident_says_what_the_arm_was_exposed_to(world: World, api: Api) -> None:
    candidate = await world.candidate("canary")
    arm: dict[str, Any] = {"arm": candidate.genome.content_hash, "role": "challenger"}
    await world.record([*exchange(1, failure="server_error", **arm), *exchange(2, **arm), *exchange(3)])
    await world.record(exchange(4, failure="client_gone", unit="u000002", **arm))
    await world.registry.add_incident(Incident("i1", POLICY, "TRIP", START, candidate.id, "bad", {}))
    (incident,) = (await get(api, "/api/v1/incidents"))["incidents"]
    found = incident["exposure"]
    assert (found["requests"], found["units"], found["failures"]) == (3, 2, 1)
    assert found["usd"] == pytest.approx(0.0003)


async def test_an_experiment_is_the_whole_trail_without_its_salt(world: World, api: Api) -> None:
    judged = await world.candidate("judged", stations={"shadow": {"pairs": 50}, "judge": {"score": 0.8}})
    _, experiment = await start_canary(world.registry, judged, who="t", reason="t", counted=True, now=START)
    await world.registry.close_experiment(experiment.id, "PROMOTE", {"e_value": 42.0}, now=START + 60.0)
    (found,) = (await get(api, "/api/v1/experiments"))["experiments"]
    assert (found["layer"], found["verdict"], found["duration_s"]) == ("prompt", "PROMOTE", 60.0)
    assert (found["stations"]["shadow"], found["stations"]["judge"]) == ({"pairs": 50}, {"score": 0.8})
    assert (found["evidence"], "salt" in found) == ({"e_value": 42.0}, False)


async def test_a_fault_of_ours_is_an_envelope_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(api.app[DAEMON].registry, "findings", broken)
    found = await get(api, "/api/v1/findings", 500)
    assert found["error"]["type"] == "server_error"
    assert "a mistake" not in found["error"]["message"]
