"""Promotions and restores that are cut off anywhere: production is whole, and the same call again ends in the same."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from policies.errors import ConflictError, StaleError
from policies.genome import Genome, PromptLayer, Rule, StrategyLayer
from policies.registry import Registry, open_registry
from policies.registry.operations import production_of, promote, restore, start_canary
from policies.registry.trail import first_broken
from tests.policies.registry.conformance.base import LINEAGE, NOW, candidate, genome

POLICY = "support"
Step = Callable[[Registry], Awaitable[object]]


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    async with open_registry(tmp_path) as opened:
        await furnish(opened)
        yield opened


async def furnish(registry: Registry) -> None:
    """v1.0 and v1.1 (other prompt and strategy) with v1.1 in production, and a canary."""
    second = genome("Be brief.", temperature=0.1)
    for revision, content in enumerate((genome("Be exact."), second)):
        made = await registry.add_version(POLICY, content, LINEAGE, who="config", why="file", now=NOW)
        await registry.move(POLICY, made.label, expected_revision=revision, who="config", why="file", now=NOW)
    here = replace(candidate(state="judged"), genome=with_rule(second, "Be kind."))
    await registry.add_candidate(here)
    await start_canary(registry, here, who="evolver", reason="", counted=True, now=NOW)


def with_rule(base: Genome, text: str) -> Genome:
    return base.model_copy(update={"prompt": PromptLayer(rubric=(Rule(id="r", text=text),))})


async def promotion(registry: Registry) -> object:
    here = await registry.candidate("c1")
    if here.state == "promoted":
        return here
    return await promote(registry, here, who="evolver", reason="proven", now=NOW, evidence={"e_value": 99.0})


async def restoring(registry: Registry) -> object:
    with contextlib.suppress(ConflictError):  # nothing is left to restore
        await restore(registry, POLICY, "v1.0", None, who="operator", why="back", now=NOW)
    return None


@pytest.mark.parametrize(("step", "rule"), [(promotion, "Be kind."), (restoring, "Be exact.")])
async def test_cut_off_anywhere_and_called_again_it_ends_in_the_same(tmp_path: Path, step: Step, rule: str) -> None:
    finished = False
    for awaits in range(0, 200, 3):
        async with open_registry(tmp_path / str(awaits)) as registry:
            await furnish(registry)
            call = asyncio.ensure_future(step(registry))
            for _ in range(awaits):
                await asyncio.to_thread(lambda: None)
            finished = call.done()
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            version, pointer = await production_of(registry, POLICY)
            assert version.genome.prompt.rubric[0].text in {"Be brief.", rule}
            await step(registry)
            version, pointer = await production_of(registry, POLICY)
            assert version.genome.prompt.rubric[0].text == rule
            assert [move.revision for move in await registry.pointers(POLICY)] == list(range(1, pointer.revision + 1))
            assert first_broken(await registry.notes()) is None
        if finished:
            break
    assert finished, "the last round must have let the call end by itself"


@pytest.mark.parametrize("layer", ["prompt", "strategy"])
async def test_one_layer_comes_back_and_the_others_stay(registry: Registry, layer: str) -> None:
    made = await restore(registry, POLICY, "v1.0", layer, who="me", why="x", now=NOW)  # type: ignore[arg-type]
    (old, before) = (await registry.versions(POLICY))[:2]
    assert getattr(made.genome, layer) == getattr(old.genome, layer)
    others = {"prompt", "memory", "strategy"} - {layer}
    assert [name for name in others if getattr(made.genome, name) != getattr(before.genome, name)] == []
    assert (made.label, made.evidence) == ("v1.2", {"restored": "v1.0"})
    assert made.lineage.parents == (before.genome.content_hash, old.genome.content_hash)


async def test_a_layer_that_is_the_same_is_nothing_to_restore(registry: Registry) -> None:
    with pytest.raises(ConflictError, match="already equals the memory layer"):
        await restore(registry, POLICY, "v1.0", "memory", who="me", why="x", now=NOW)
    assert len(await registry.versions(POLICY)) == 2


async def test_a_restore_of_what_has_moved_meanwhile_changes_nothing(registry: Registry) -> None:
    with pytest.raises(StaleError, match="at revision 2, moved by config, not at revision 1"):
        await restore(registry, POLICY, "v1.0", None, who="me", why="x", now=NOW, revision=1)
    assert len(await registry.versions(POLICY)) == 2
    made = await restore(registry, POLICY, "v1.0", None, who="me", why="x", now=NOW, revision=2)
    assert made.label == "v1.2"


async def test_a_version_that_was_never_pointed_at_is_passed_over(registry: Registry) -> None:
    """What a kill between its two steps leaves of a restore."""
    await registry.add_version(POLICY, genome("Half."), LINEAGE, who="x", why="y", now=NOW)
    assert (await production_of(registry, POLICY))[0].label == "v1.1"
    made = await promotion(registry)
    assert getattr(made, "label", "") == "v1.3"
    assert (await production_of(registry, POLICY))[0].genome.strategy == StrategyLayer(temperature=0.1)
