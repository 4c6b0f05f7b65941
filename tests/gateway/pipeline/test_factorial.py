"""Candidates of two layers in canary at the same time, through a gateway: every combination is drawn and served."""

from collections import Counter
from pathlib import Path

import orjson

from policies.registry.operations import start_canary
from policies.registry.values import Candidate
from tests.gateway.pipeline.conftest import Running, running, settings
from tests.gateway.pipeline.experiments import genome
from tests.gateway.pipeline.scripted import Visit, completion, provider, whole

HARMFUL = "Answer in riddles."
PATIENT = {  # time for every combination to come up, whatever the draws: 1 in a million runs sees one never
    "bandit": {"ramp": 0, "production_share": 0.5, "floor": 0.2},
    "breaker": {"alpha": 1e-30, "window_s": 60, "deadline_s": 5},
}
bodies: list[bytes] = []


async def script(visit: Visit) -> None:
    bodies.append(visit.body)
    if HARMFUL.encode() in visit.body:
        await visit.send(whole(b'{"error":{"message":"broken"}}', b"500 Internal Server Error"))
    else:
        await visit.send(whole(completion()))


async def two_layers(gateway: Running) -> tuple[Candidate, Candidate]:
    """A harmful prompt and a harmless temperature."""
    registry, now, found = gateway.worker._registry, gateway.core.now(), []
    kind = "Answer kindly."
    for name, layer, content in (
        ("c1", "prompt", genome(HARMFUL)),
        ("c2", "strategy", genome(kind, temperature=0.1)),
    ):
        (production,) = await registry.versions("assistant")
        candidate = Candidate(
            name, "assistant", layer, content, "v1.0", production.lineage, "proposed", now, now  # type: ignore[arg-type]
        )  # fmt: skip
        assert await registry.add_candidate(candidate)
        started, _ = await start_canary(registry, candidate, who="test", reason="", counted=True, now=now)
        found.append(started)
    await gateway.worker.sync()
    return found[0], found[1]


async def test_every_combination_is_served_and_the_rollback_names_the_layer(tmp_path: Path) -> None:
    bodies.clear()
    async with provider(script) as base, running(settings(base, PATIENT), tmp_path) as gateway:
        prompt, strategy = await two_layers(gateway)
        view = gateway.core.epoch.policies["assistant"]
        assert len(view.drawn) == 4
        assert abs(dict(view.odds)[view.production.hash] - 0.5) < 1e-9, "production keeps its share in all"
        assert [arm.candidate for arm in view.drawn] == [None, "c2", "c1", "c1+c2"]
        for n in range(900):
            await gateway.ask("hello", headers={"x-evogate-session": f"s{n}"})
            if gateway.core.metrics.trips:
                break
        await gateway.until(lambda: bool(gateway.core.metrics.trips))
        view = gateway.core.epoch.policies["assistant"]
        assert [arm.candidate for arm in view.drawn] == [None, "c2"], "the harmful layer is gone from every arm"
        pins = gateway.core.pins["assistant"]
        held = {pin.arm for n in range(900) if (pin := pins.get(f"s{n}", gateway.core.now())) is not None}
        assert held <= view.arms.keys(), "conversations with the layer in any combination are unpinned"
        registry = gateway.worker._registry
        await gateway.until(lambda: len(gateway.core.evidence.running) == 1)
        (incident,) = await registry.incidents("assistant")
        without, with_it = incident.evidence["arms"]
        assert (len(without), len(with_it)) == (2, 2)
        assert (await registry.candidate(prompt.id)).state == "rolled_back"
        assert (await registry.candidate(strategy.id)).state == "canary"
        frames = [frame for frame in gateway.frames("assignment") if len(frame["arms"]) == 4]
        served = Counter(frame["candidate"] for frame in frames)
        assert set(served) == {None, "c1", "c2", "c1+c2"}
        assert all(abs(sum(p for _, p in frame["arms"]) - 1.0) < 1e-9 for frame in frames)
        kinds = {(HARMFUL.encode() in body, orjson.loads(body).get("temperature")) for body in bodies}
        assert kinds == {(False, None), (True, None), (False, 0.1), (True, 0.1)}


async def test_a_restart_enters_units_into_both_experiments_again(tmp_path: Path) -> None:
    async with provider(script) as base:
        async with running(settings(base, PATIENT), tmp_path) as gateway:
            await two_layers(gateway)
            for n in range(60):
                await gateway.ask("hello", headers={"x-evogate-session": f"s{n}"})
            gateway.worker.guard.tick()
            before = {e: run.evidence.totals() for e, run in gateway.core.evidence.running.items()}
            assert len(before) == 2
        async with running(settings(base, PATIENT), tmp_path) as again:
            counts = {}
            for name, run in again.core.evidence.running.items():
                run.evidence.advance(again.core.now())
                counts[name] = sum(run.evidence._alone(1.0).totals["answer"].counts.units)
            assert list(counts.values()) == [60, 60], "each unit enters the experiment of each layer"
            assert counts.keys() == before.keys()
