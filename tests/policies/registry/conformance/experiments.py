"""Experiments are opened with an ordinal and closed once; a policy has one holdback at most."""

import pytest

from policies.errors import NotFoundError
from policies.registry import Registry
from policies.registry.values import Experiment, Holdback
from tests.policies.registry.conformance.base import NOW, Conformance, Connect


async def opened(
    registry: Registry, name: str = "c1", *, policy: str = "support", counted: bool = True, now: float = NOW
) -> Experiment:
    return await registry.open_experiment(policy, name, "v1.0", salt=f"salt-{name}", counted=counted, now=now)


class ExperimentsConformance(Conformance):
    async def test_counted_experiments_are_numbered_in_each_policy(self, registry: Registry) -> None:
        plan = [("support", True), ("support", False), ("other", True), ("support", True), ("other", False)]
        ordinals = [(await opened(registry, policy=policy, counted=counted)).ordinal for policy, counted in plan]
        assert ordinals == [1, 0, 1, 2, 0]

    async def test_an_ordinal_is_never_given_twice(self, registry: Registry) -> None:
        first = await opened(registry)
        await registry.close_experiment(first.id, "INCONCLUSIVE", {}, now=NOW)
        assert (await opened(registry)).ordinal == 2

    async def test_an_experiment_reads_as_it_was_written(self, registry: Registry, connect: Connect) -> None:
        written = await opened(registry)
        assert await (await connect()).experiments() == [written]
        assert (written.salt, written.ended_at, written.verdict, written.evidence) == ("salt-c1", None, "", {})

    async def test_it_ends_once(self, registry: Registry) -> None:
        written = await opened(registry)
        ended = await registry.close_experiment(written.id, "ROLL BACK", {"e": 120.5}, now=NOW + 7)
        again = await registry.close_experiment(written.id, "PROMOTE", {"e": 1}, now=NOW + 8)
        assert (ended.verdict, ended.evidence, ended.ended_at) == ("ROLL BACK", {"e": 120.5}, NOW + 7)
        assert again == ended
        assert await registry.experiments() == [ended]

    async def test_only_what_exists_can_end(self, registry: Registry) -> None:
        with pytest.raises(NotFoundError, match="nope"):
            await registry.close_experiment("nope", "PROMOTE", {}, now=NOW)

    async def test_they_come_oldest_first_and_may_be_narrowed(self, registry: Registry) -> None:
        late = await opened(registry, "late", now=NOW + 5)
        early = await opened(registry, "early")
        other = await opened(registry, "other", policy="other", now=NOW + 6)
        early = await registry.close_experiment(early.id, "PROMOTE", {}, now=NOW + 7)
        assert await registry.experiments() == [early, late, other]
        assert await registry.experiments("support") == [early, late]
        assert await registry.experiments(running=True) == [late, other]
        assert await registry.experiments("support", running=True) == [late]

    async def test_a_holdback_is_set_replaced_and_cleared(self, registry: Registry, connect: Connect) -> None:
        first = Holdback("support", "v1.0", 0.02, "x1", "salt", NOW)
        second = Holdback("support", "v1.1", 0.05, "x2", "pepper", NOW + 1)
        other = Holdback("other", "v1.0", 0.01, "x3", "salt", NOW)
        for holdback in (first, second, other):
            await registry.set_holdback(holdback.policy, holdback, now=NOW)
        assert await (await connect()).holdbacks() == [other, second]
        await registry.set_holdback("support", None, now=NOW)
        await registry.set_holdback("absent", None, now=NOW)
        assert await registry.holdbacks() == [other]
