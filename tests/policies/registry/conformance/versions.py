"""Rule 2: versions are immutable; production is a pointer moved by compare-and-set."""

import pytest

from policies.errors import ConflictError, NotFoundError
from policies.genome import Genome, Lineage
from policies.registry import Registry
from policies.registry.values import Version
from tests.policies.registry.conformance.base import LINEAGE, NOW, Conformance, Connect, genome


async def add(registry: Registry, policy: str = "support", *, major: bool = False, rule: str = "Be exact.") -> Version:
    return await registry.add_version(policy, genome(rule), LINEAGE, who="evolver", why="better", now=NOW, major=major)


class VersionsConformance(Conformance):
    async def test_numbers_begin_at_one_zero_and_grow_in_each_policy(self, registry: Registry) -> None:
        steps = [("support", False), ("support", False), ("other", True), ("support", True), ("support", False)]
        added = [await add(registry, policy, major=major) for policy, major in steps]
        assert [version.label for version in added] == ["v1.0", "v1.1", "v1.0", "v2.0", "v2.1"]

    async def test_the_tenth_minor_follows_the_ninth(self, registry: Registry) -> None:
        for _ in range(12):
            await add(registry)
        labels = [version.label for version in await registry.versions("support")]
        assert labels == [f"v1.{minor}" for minor in range(12)]

    async def test_a_version_reads_as_it_was_written(self, registry: Registry, connect: Connect) -> None:
        rich = Genome.model_validate(
            {
                "prompt": {
                    "rubric": ["Löse es.", {"id": "x", "text": "\U0001f642 'quoted' \"double\" \\ \n"}],
                    "few_shots": [{"user": "a", "assistant": "b"}],
                    "cot": True,
                },
                "memory": {"retriever_topk": 3},
                "strategy": {"temperature": 0.1, "model_key": "small"},
            }
        )
        written = await registry.add_version(
            "support", rich, LINEAGE, who="o'operator", why="wh\0y", now=NOW, evidence={"e": [1, 2.5, None, "ä"]}
        )
        (read,) = await (await connect()).versions("support")
        assert read == written
        assert read.genome.content_hash == rich.content_hash

    async def test_the_default_genome_reads_as_it_was_written(self, registry: Registry) -> None:
        written = await registry.add_version("p", Genome(), Lineage(source="seed"), who="config", why="file", now=NOW)
        assert await registry.versions("p") == [written]
        assert written.evidence == {}

    async def test_there_is_no_pointer_before_the_first_move(self, registry: Registry) -> None:
        await add(registry)
        assert await registry.production("support") is None
        assert await registry.pointers("support") == []

    async def test_production_follows_its_moves(self, registry: Registry, connect: Connect) -> None:
        await add(registry)
        await add(registry)
        first = await registry.move("support", "v1.1", expected_revision=0, who="config", why="file", now=NOW)
        second = await registry.move("support", "v1.0", expected_revision=1, who="operator", why="back", now=NOW + 1)
        assert (first.revision, second.revision) == (1, 2)
        other = await connect()
        assert await other.production("support") == second
        assert await other.pointers("support") == [first, second]
        assert await other.production("another") is None

    @pytest.mark.parametrize("expected", [0, 2, 99])
    async def test_a_stale_revision_is_a_conflict_and_moves_nothing(self, registry: Registry, expected: int) -> None:
        await add(registry)
        here = await registry.move("support", "v1.0", expected_revision=0, who="config", why="file", now=NOW)
        await add(registry)
        with pytest.raises(ConflictError, match="revision 1"):
            await registry.move("support", "v1.1", expected_revision=expected, who="x", why="y", now=NOW)
        assert await registry.pointers("support") == [here]

    @pytest.mark.parametrize("label", ["v1.1", "v2.0", "1.0", "v1.00", "", "v1.0 "])
    async def test_production_points_at_versions_only(self, registry: Registry, label: str) -> None:
        await add(registry)
        await add(registry, "other")
        await add(registry, "other")
        with pytest.raises(NotFoundError, match="support"):
            await registry.move("support", label, expected_revision=0, who="x", why="y", now=NOW)
        assert await registry.production("support") is None

    async def test_of_two_connections_that_read_the_same_pointer_one_moves_it(self, connect: Connect) -> None:
        one, two = await connect(), await connect()
        await add(one)
        await one.move("support", "v1.0", expected_revision=0, who="one", why="", now=NOW)
        await two.move("support", "v1.0", expected_revision=1, who="two", why="", now=NOW)
        with pytest.raises(ConflictError, match="moved by two"):
            await one.move("support", "v1.0", expected_revision=1, who="one", why="", now=NOW)
