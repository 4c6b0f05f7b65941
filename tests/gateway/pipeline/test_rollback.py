"""A harmful canary: taken back at once, on record, never tried again; and all of it after a restart as well."""

import asyncio
from pathlib import Path

import orjson

from gateway.pipeline.epoch import Arm
from policies.registry.operations import promote
from policies.registry.values import Holdback, Incident
from tests.gateway.pipeline.conftest import Running, running, settings
from tests.gateway.pipeline.experiments import canary, genome
from tests.gateway.pipeline.scripted import Visit, completion, provider, whole

HARMFUL = "Answer in riddles."


async def script(visit: Visit) -> None:
    while True:
        if HARMFUL.encode() in visit.body:
            await visit.send(whole(b'{"error":{"message":"broken"}}', b"500 Internal Server Error"))
        else:
            await visit.send(whole(completion()))
        return


async def ask(gateway: Running, name: str) -> int:
    return (await gateway.ask("hello", headers={"x-evogate-session": name}))[0]


async def test_a_harmful_canary_is_taken_back(tmp_path: Path) -> None:
    async with provider(script) as base, running(settings(base), tmp_path) as gateway:
        candidate, experiment = await canary(gateway, "c1", genome(HARMFUL))
        registry = gateway.worker._registry
        victim = ""
        for n in range(600):
            if await ask(gateway, f"s{n}") == 500:
                victim = victim or f"s{n}"
            if gateway.core.metrics.trips:
                break
        await gateway.until(lambda: bool(gateway.core.metrics.trips))
        view = gateway.core.epoch.policies["assistant"]
        assert [arm.role for arm in view.drawn] == ["production"], "out of the epoch in the same tick"
        assert await ask(gateway, victim) == 200, "a rollback breaks pins"
        await gateway.until(lambda: not gateway.core.evidence.running)
        assert (await registry.candidate(candidate.id)).state == "rolled_back"
        assert [t.content_hash for t in await registry.tombstones("assistant")] == [candidate.genome.content_hash]
        (incident,) = await registry.incidents("assistant")
        assert incident.kind in {"TRIP", "SEVERE"}
        assert incident.evidence["counts"]["answer"]["challenger"][1] > 0
        (closed,) = await registry.experiments("assistant")
        assert (closed.id, closed.verdict) == (experiment.id, "ROLL BACK")
        await gateway.worker.sync()
        assert gateway.worker.verdicts.tripped == set()
        assert len(gateway.core.epoch.policies["assistant"].drawn) == 1


async def test_evidence_pins_and_feedback_survive_a_restart(tmp_path: Path) -> None:
    patient = {"breaker": {"window_s": 60, "deadline_s": 5, "alpha": 1e-9}}  # 15 failures must not end the comparison
    async with provider(script) as base:
        async with running(settings(base, patient), tmp_path) as gateway:
            _, experiment = await canary(gateway, "c1", genome(HARMFUL))
            for n in range(15):
                await ask(gateway, f"s{n}")
            await gateway.until(lambda: _units(gateway, experiment.id) == 15)
            before = gateway.core.evidence.running[experiment.id].evidence.totals()
            posteriors = {arm.hash: gateway.core.posteriors.of("assistant", arm.hash) for arm in _arms(gateway)}
            arms = {frame["unit"]: frame["arm"] for frame in gateway.frames("assignment")}
            last = gateway.frames("assignment")[-1]["id"]
        async with running(settings(base, patient), tmp_path) as again:
            after = again.core.evidence.running[experiment.id].evidence.totals()
            # The judgement channel waits for its deadline; what has been consumed is the same, bucket by bucket.
            assert _answers(after) == _answers(before)
            assert {arm.hash: again.core.posteriors.of("assistant", arm.hash) for arm in _arms(again)} == posteriors
            body = orjson.dumps({"request_id": last, "label": "up"})
            async with again.http.post(f"{again.url}/v1/feedback", data=body) as answer:
                assert answer.status == 202
            for n in range(15):
                await ask(again, f"s{n}")
            frames = again.frames("assignment")
            assert {frame["unit"]: frame["arm"] for frame in frames[15:]} == arms
            assert {frame["why"] for frame in frames[15:]} == {"pin"}


def _arms(gateway: Running) -> tuple[Arm, ...]:
    return gateway.core.epoch.policies["assistant"].drawn


def _units(gateway: Running, experiment: str) -> int:
    run = gateway.core.evidence.running[experiment]
    if run.decision is None:
        return 0
    counts = run.decision.evidence["counts"]["answer"]
    return int(counts["production"][0] + counts["challenger"][0])


def _answers(totals: dict[int, dict[str, object]]) -> dict[int, object]:
    return {bucket: row.get("answer") for bucket, row in totals.items()}


async def test_a_harmful_promotion_is_ejected_to_its_predecessor(tmp_path: Path) -> None:
    async with provider(script) as base, running(settings(base), tmp_path) as gateway:
        registry = gateway.worker._registry
        candidate, _ = await canary(gateway, "c1", genome(HARMFUL))
        version = await promote(registry, candidate, who="t", reason="t", now=gateway.core.now(), evidence={})
        comparison = await registry.open_experiment(
            "assistant", candidate.id, "v1.0", salt="s", counted=False, now=gateway.core.now()
        )
        holdback = Holdback("assistant", "v1.0", 0.5, comparison.id, "s", gateway.core.now())
        await registry.set_holdback("assistant", holdback, now=gateway.core.now())
        await gateway.worker.sync()
        roles = {arm.role: arm.version for arm in gateway.core.epoch.policies["assistant"].drawn}
        assert roles == {"production": version.label, "holdback": "v1.0"}
        for n in range(300):
            await ask(gateway, f"s{n}")
            if gateway.core.metrics.trips:
                break
        await gateway.until(lambda: bool(gateway.core.metrics.trips))
        assert gateway.core.epoch.policies["assistant"].production.version == "v1.0", "at once, before the registry"
        await gateway.until(lambda: not gateway.core.evidence.running)
        pointer = await registry.production("assistant")
        assert pointer is not None
        assert pointer.version == "v1.0"
        assert await registry.holdbacks() == []
        (ended,) = [note for note in await registry.notes() if note.action == "holdback ended"]
        assert abs(ended.at - gateway.core.now()) < 60.0
        assert (await registry.candidate("c1")).state == "rolled_back"
        assert [incident.kind for incident in await registry.incidents("assistant")] == ["EJECT"]
        await gateway.until(lambda: not gateway.core.evidence.running)
        assert gateway.core.fall_open.counts["registry"] == 0


async def test_an_outage_blames_the_provider(tmp_path: Path) -> None:
    down = False

    async def flaky(visit: Visit) -> None:
        await visit.send(whole(b"{}", b"503 Service Unavailable") if down else whole(completion()))

    async with provider(flaky) as base, running(settings(base), tmp_path) as gateway:
        candidate, _ = await canary(gateway, "c1", genome("Answer briefly."))
        registry = gateway.worker._registry
        for n in range(500):
            await ask(gateway, f"before {n}")
        down = True
        for n in range(150):
            await ask(gateway, f"down {n}")
        await gateway.until(lambda: gateway.core.epoch.policies["assistant"].frozen)
        (incident,) = await wait_for_incident(gateway)
        assert (incident.kind, incident.subject) == ("PROVIDER", "sandbox")
        assert gateway.core.metrics.trips == 0
        assert (await registry.candidate(candidate.id)).state == "canary"


async def wait_for_incident(gateway: Running) -> list[Incident]:
    async with asyncio.timeout(10):
        while not (found := await gateway.worker._registry.incidents()):  # noqa: ASYNC110  (told by a task of the gateway's)
            await asyncio.sleep(0.01)
    return found
