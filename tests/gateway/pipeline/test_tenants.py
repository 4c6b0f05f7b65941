"""Memories of several tenants: a request is reminded of its own tenant's entries and everybody's, and of no other's."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from policies.genome import Genome
from tests.gateway.pipeline.conftest import Running, running, settings
from tests.gateway.pipeline.experiments import shadow
from tests.gateway.pipeline.scripted import Visit, completion, provider, whole

ENTRIES = [
    {"id": "all", "text": "The warranty is printed on the box."},
    {"id": "acme", "text": "The warranty for Acme is seven years.", "namespace": "acme"},
    {"id": "globex", "text": "The warranty for Globex is nine years.", "namespace": "globex"},
]
MEMORY = {"retriever_topk": 5}


@contextlib.asynccontextmanager
async def serving(home: Path, memory: dict[str, Any], **policy: Any) -> AsyncIterator[tuple[Running, list[Visit]]]:
    (home / "memory.jsonl").write_bytes(b"\n".join(map(orjson.dumps, ENTRIES)))
    visits: list[Visit] = []

    async def script(visit: Visit) -> None:
        visits.append(visit)
        await visit.send(whole(completion()))

    async with provider(script) as base:
        genome = {"memory": memory, "strategy": {"model_key": "large"}}
        remembers = {"memory_file": str(home / "memory.jsonl"), "memory_holdout": 0.0, "genome": genome}
        async with running(settings(base, remembers | policy), home) as gateway:
            yield gateway, visits


@pytest.mark.parametrize(
    ("tenant", "seen"), [("acme", {"all", "acme"}), ("globex", {"all", "globex"}), ("", {"all"}), ("other", {"all"})]
)
async def test_a_request_sees_its_tenants_entries_and_everybodys(tenant: str, seen: set[str], tmp_path: Path) -> None:
    async with serving(tmp_path, MEMORY, tenant="header:X-EvoGate-Tenant") as (gateway, visits):
        status, _, _ = await gateway.ask("Which warranty?", headers={"x-evogate-tenant": tenant} if tenant else None)
        assert status == 200
        (frame,) = gateway.frames("assignment")
        assert {name for name, _ in frame["memory"]} == seen
        assert frame.get("tenant", "") == tenant
        assert b"x-evogate-tenant" not in visits[-1].head.lower()


async def test_a_policy_that_tells_no_tenants_apart_serves_nobodys_entries(tmp_path: Path) -> None:
    async with serving(tmp_path, MEMORY) as (gateway, visits):
        await gateway.ask("Which warranty?", headers={"x-evogate-tenant": "acme"})
        assert b"printed on the box" in visits[-1].body
        assert b"years" not in visits[-1].body
        assert "tenant" not in gateway.frames("assignment")[0]


@pytest.mark.parametrize("strategy", [{}, {"repairs": "local"}], ids=["one call", "several"])
async def test_a_shadow_sees_what_the_client_would_have_seen(strategy: dict[str, Any], tmp_path: Path) -> None:
    policy = {"tenant": "header:x-tenant", "shadow": {"sample": 1.0}}
    async with serving(tmp_path, {}, **policy) as (gateway, visits):
        genes = {"memory": MEMORY, "strategy": {"model_key": "large", **strategy}}
        await shadow(gateway, "c1", Genome.model_validate(genes))
        await gateway.ask("Which warranty?", headers={"x-tenant": "globex"})
        await gateway.until(lambda: len(visits) == 2)
        assert b"nine years" in visits[1].body
        assert b"seven years" not in visits[1].body
