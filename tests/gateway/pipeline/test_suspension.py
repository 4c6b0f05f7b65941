"""The upstream that only the candidate uses goes down: it is not blamed, and what is its own fault still is."""

from pathlib import Path
from typing import Any

import pytest

from gateway.pipeline import live
from gateway.pipeline.outages import Outages
from policies.evidence import Decision
from policies.registry.values import Incident
from tests.gateway.pipeline.conftest import Running, running, settings
from tests.gateway.pipeline.experiments import canary, genome
from tests.gateway.pipeline.scripted import Visit, completion, provider, whole
from tests.gateway.pipeline.test_rollback import wait_for_incident

BREAKER = {"bandit": {"ramp": 0, "production_share": 0.5}, "breaker": {"deadline_s": 5}}
HEALTHY = 260  # answers after which the second upstream fails: its level must be known


def two_upstreams(first: str, second: str) -> Any:
    models = {
        "large": {"upstream": "first", "model": "sandbox-large"},
        "small": {"upstream": "second", "model": "sandbox-small"},
    }
    upstreams = {"first": {"base_url": first}, "second": {"base_url": second, "api_key": "k"}}
    policy = {"bandit": {"ramp": 0, "production_share": 0.5}}
    return settings(first, policy, upstreams=upstreams, models=models)


async def fine(visit: Visit) -> None:
    await visit.send(whole(completion()))


class Failing:
    """Fails from some request on, for so many."""

    def __init__(self, after: int, count: int = 1_000_000) -> None:
        self.left = after
        self._last = -count

    async def __call__(self, visit: Visit) -> None:
        self.left -= 1
        if self.left >= 0 or self.left < self._last:
            await fine(visit)
        else:
            await visit.send(whole(b'{"error":{"message":"down"}}', b"503 Service Unavailable"))


async def until_verdict(gateway: Running) -> None:
    for n in range(3_000):
        await gateway.ask("hello", headers={"x-evogate-session": f"s{n}"})
        gateway.worker.guard.tick()
        if gateway.core.metrics.trips or gateway.core.outages.down():
            return
    raise AssertionError("no verdict")


@pytest.mark.parametrize("own", [True, False])
async def test_only_an_upstream_of_its_own_excuses_a_candidate(tmp_path: Path, own: bool) -> None:
    failing = Failing(HEALTHY)

    async def by_rubric(visit: Visit) -> None:
        await (failing(visit) if b"Be terse." in visit.body else fine(visit))

    async with provider(fine) as first, provider(failing) as second, provider(by_rubric) as shared:
        config = two_upstreams(first, second) if own else two_upstreams(shared, shared)
        async with running(config, tmp_path) as gateway:
            await canary(gateway, "c1", genome("Be terse.", model_key="small" if own else "large"))
            await until_verdict(gateway)
            if not own:
                assert gateway.core.metrics.trips == 1
                return
            (run,) = gateway.core.evidence.running.values()
            assert gateway.core.metrics.trips == 0
            assert not run.tripped
            (incident,) = await wait_for_incident(gateway)
            assert (incident.kind, incident.subject) == ("PROVIDER", "second")


async def test_an_outage_that_is_over_excuses_the_comparison_that_it_fell_into(tmp_path: Path) -> None:
    """Nobody suspends the candidate meanwhile: neither its end nor a restart of the gateway makes it a culprit."""
    failing = Failing(HEALTHY, 80)
    async with provider(fine) as first, provider(failing) as second:
        config = two_upstreams(first, second)
        async with running(config, tmp_path) as gateway:
            await canary(gateway, "c1", genome("Be terse.", model_key="small"))
            await until_verdict(gateway)
            (run,) = gateway.core.evidence.running.values()
            n = 0
            while gateway.core.outages.down() or run.decision is None or not run.decision.rolls_back:
                n += 1
                await gateway.ask("hello", headers={"x-evogate-session": f"later {n}"})
                gateway.worker.guard.tick()
            gateway.worker.guard.tick()
            assert list(gateway.worker.guard.held) == [run.trial.experiment]
        async with running(config, tmp_path) as gateway:
            (run,) = gateway.core.evidence.running.values()
            gateway.worker.guard.tick()
            assert run.decision is not None
            assert run.decision.rolls_back
            assert (gateway.core.metrics.trips, run.tripped) == (0, False)
            assert [i.kind for i in await gateway.worker._registry.incidents("assistant")] == ["PROVIDER"]


async def asked_until_rolled_back(gateway: Running) -> tuple[live.Running, Decision]:
    """The one experiment at work, and the decision against its candidate, after as many answers as it took."""
    (run,) = gateway.core.evidence.running.values()
    n = 0
    while run.decision is None or not run.decision.rolls_back:
        n += 1
        await gateway.ask("hello", headers={"x-evogate-session": f"s{n}"})
        gateway.worker.guard.tick()
    return run, run.decision


@pytest.mark.parametrize("told", [True, False])
async def test_an_outage_that_another_worker_has_found_excuses_as_well(tmp_path: Path, told: bool) -> None:
    """This one does not know the arm's usual level: by itself it would call the failures the candidate's own."""
    async with (
        provider(fine) as first,
        provider(Failing(0)) as second,
        running(two_upstreams(first, second), tmp_path) as gateway,
    ):
        await canary(gateway, "c1", genome("Be terse.", model_key="small"))
        if told:
            found = Incident("p", "assistant", "PROVIDER", gateway.core.now(), "second", "down", {})
            await gateway.worker._registry.add_incident(found)
            await gateway.until(lambda: "second" in gateway.worker.snapshot.outages)
        await asked_until_rolled_back(gateway)
        assert gateway.core.outages.down() == {}
        assert (gateway.core.metrics.trips, len(gateway.worker.guard.held)) == ((0, 1) if told else (1, 0))


async def test_what_was_held_back_is_carried_out_as_it_was_first_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay stops at the first crossing: later answers may have taken the evidence below its threshold again."""
    excused, good = True, False

    async def by_rubric(visit: Visit) -> None:
        broken = b"Be terse." in visit.body and not good
        await (visit.send(whole(b"{}", b"500 Internal Server Error")) if broken else fine(visit))

    async with provider(by_rubric) as base, running(settings(base, BREAKER), tmp_path) as gateway:
        monkeypatch.setattr(gateway.core.outages, "blames", lambda *_: excused)
        await canary(gateway, "c1", genome("Be terse."))
        run, first = await asked_until_rolled_back(gateway)
        good = True
        for m in range(60):
            await gateway.ask("hello", headers={"x-evogate-session": f"later {m}"})
            gateway.worker.guard.tick()
        assert run.decision is not None
        assert run.decision.evidence["counts"] != first.evidence["counts"]
        assert gateway.core.metrics.trips == 0
        excused = False
        gateway.worker.guard.tick()
        (incident,) = await wait_for_incident(gateway)
        assert incident.evidence["at"] == first.evidence["at"]
        assert incident.evidence["counts"] == first.evidence["counts"]


def test_an_outage_is_over_when_the_only_arm_that_showed_it_is_gone() -> None:
    outages = Outages()
    for n in range(300):
        outages.turn()
        outages.add("u", "p", "candidate", n >= 250, float(n))
    assert outages.policies == {"p"}
    assert outages.blames("u", "v", 0.0)
    assert not outages.blames("u", "u", 0.0)
    assert not outages.blames(None, "v", 0.0)
    assert not outages.blames("v", "u", 0.0)
    outages.turn()
    outages.keep({"p/production"})
    assert outages.policies == set()
    assert outages.turn() == {"u"}, "so that the incident is resolved"
