"""An operator's word over HTTP: recorded as one, refused where somebody else was first, given once if sent twice."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from policies.registry.operations import production_of
from tests.evolver.api.test_api import Api, get, post, serve
from tests.evolver.support import POLICY, World, make_settings, make_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path, make_settings(policy={"mode": "approve"})) as made:
        yield made


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async for client in serve(world, world.settings):
        yield client


async def last_note(world: World) -> tuple[str, str]:
    note = (await world.registry.notes())[-1]
    return note.who, note.action


async def test_approval_is_noted_for_the_step_that_it_waits_for(world: World, api: Api) -> None:
    await world.candidate("judged")
    said = await post(api, "/api/v1/candidates/c0ffee/approve", {"why": "looks right"})
    assert said == {"success": True, "candidate": "c0ffee", "step": "canary"}
    given = (await world.registry.candidate("c0ffee")).stations["approval"]["canary"]
    assert (given["who"], given["why"]) == ("api", "looks right")


async def test_overrides_of_a_candidate(world: World, api: Api) -> None:
    await world.candidate("gated")
    said = await post(api, "/api/v1/candidates/c0ffee/canary", {"why": "I want to see it"})
    (experiment,) = await world.registry.experiments(POLICY, running=True)
    assert (said["experiment"], experiment.ordinal) == (experiment.id, 0), "an override is in no stream"
    said = await post(api, "/api/v1/candidates/c0ffee/promote", {"why": "now"})
    version, pointer = await production_of(world.registry, POLICY)
    assert (said["version"], pointer.who, version.evidence["override"]) == (version.label, "api", "now")
    refused = await post(api, "/api/v1/candidates/c0ffee/reject", status=409)
    assert "in state 'promoted' can't take 'override_reject'" in refused["error"]["message"]


async def test_a_rejected_one_is_over_and_so_is_its_content(world: World, api: Api) -> None:
    await world.candidate("judged")
    await post(api, "/api/v1/candidates/c0ffee/canary")
    assert (await post(api, "/api/v1/candidates/c0ffee/reject", {"why": "no"}))["state"] == "rejected"
    assert await world.registry.experiments(POLICY, running=True) == []
    (tombstone,) = await world.registry.tombstones(POLICY)
    assert tombstone.content_hash == (await world.registry.candidate("c0ffee")).genome.content_hash


async def test_freeze_and_thaw(world: World, api: Api) -> None:
    assert await post(api, "/api/v1/freeze", {"why": "a fire"}) == {"success": True, "frozen": True}
    state = await world.registry.state("freeze")
    assert (state["frozen"], state["who"], state["why"]) == (True, "api", "a fire")
    assert (await get(api, "/api/v1/improvement/status"))["frozen"] is True
    assert await last_note(world) == ("api", "freeze")
    assert await post(api, "/api/v1/thaw") == {"success": True, "frozen": False}
    assert await last_note(world) == ("api", "thaw")


async def test_who_has_not_seen_the_last_change_is_refused(world: World, api: Api) -> None:
    await world.candidate("judged")
    (listed,) = (await get(api, "/api/v1/candidates"))["candidates"]
    seen: dict[str, Any] = {"If-Match": f'"{listed["id"]}:{listed["revision"]}"'}
    async with api.post("/api/v1/candidates/c0ffee/approve", headers=seen) as answer:
        assert answer.status == 200
        now: dict[str, Any] = {"If-Match": answer.headers["ETag"]}
    stale = await post(api, "/api/v1/candidates/c0ffee/canary", status=412, **seen)
    assert now["If-Match"] in stale["error"]["message"]
    assert (await world.registry.candidate("c0ffee")).state == "judged"
    await post(api, "/api/v1/candidates/c0ffee/canary", **now)


async def test_a_repeated_request_gets_the_answer_it_had(world: World, api: Api) -> None:
    await world.candidate("judged")
    once: dict[str, Any] = {"Idempotency-Key": "k1"}
    first = await post(api, "/api/v1/candidates/c0ffee/canary", **once)
    assert await post(api, "/api/v1/candidates/c0ffee/canary", **once) == first
    assert len(await world.registry.experiments(POLICY)) == 1
