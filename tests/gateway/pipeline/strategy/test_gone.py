"""A model leaves the configuration while versions and candidates still name it: nobody goes without an answer."""

import time
from pathlib import Path
from typing import Any

import pytest

from policies.genome import Genome, Lineage
from tests.gateway.pipeline.conftest import Running, running, settings
from tests.gateway.pipeline.experiments import canary, shadow
from tests.gateway.pipeline.scripted import Visit, completion, provider, whole
from tests.gateway.pipeline.strategy.conftest import MODELS

JSON = dict[str, Any]
LEFT_OUT = 'evogate_left_out_arms_total{policy="assistant",role="challenger"}'
FEWER = {"large": MODELS["large"]}
NAMES: dict[str, JSON] = {
    "model_key": {"model_key": "small"},
    "voter_models": {"model_key": "large", "use_consensus": True, "voter_models": ["large", "small"]},
    "cascade_model": {"model_key": "large", "cascade_model": "small"},
    "cascade_verifier": {"model_key": "small", "cascade_model": "large", "cascade_verifier": "small"},
    "intent_models": {"model_key": "large", "intent_models": {"invoices": "small"}},
}


def naming(strategy: JSON) -> Genome:
    return Genome.model_validate(
        {"prompt": {"rubric": "Of the version."}, "strategy": {"temperature": 0.5, **strategy}}
    )


async def produce(gateway: Running, genome: Genome) -> str:
    registry, now = gateway.worker._registry, time.time()
    pointer = await registry.production("assistant")
    assert pointer is not None
    made = await registry.add_version("assistant", genome, Lineage(source="operator"), who="t", why="t", now=now)
    await registry.move("assistant", made.label, expected_revision=pointer.revision, who="t", why="t", now=now)
    await gateway.worker.sync()
    return made.label


@pytest.mark.parametrize("gene", NAMES)
async def test_production_goes_on_without_what_is_gone(gene: str, tmp_path: Path) -> None:
    bodies: list[bytes] = []

    async def script(visit: Visit) -> None:
        bodies.append(visit.body)
        await visit.send(whole(completion()))

    async with provider(script) as url:
        async with running(settings(url, models=MODELS), tmp_path) as gateway:
            label = await produce(gateway, naming(NAMES[gene]))
            await gateway.worker.reload(settings(url, models=FEWER))
            status, headers, _ = await gateway.ask()
            assert (status, headers["x-evogate-version"]) == (200, label)
            (problem, *_) = gateway.core.epoch.policies["assistant"].problems
            assert "model 'small' is not configured" in problem
            assert b"Of the version." in bodies[-1], "what is left of it applies"
            assert b'"temperature":0.5' in bodies[-1]
        async with running(settings(url, models=FEWER), tmp_path) as again:
            assert (await again.ask())[0] == 200, "nor does it keep the gateway from starting"


async def test_candidates_are_left_out(tmp_path: Path) -> None:
    async def script(visit: Visit) -> None:
        await visit.send(whole(completion()))

    async with provider(script) as url, running(settings(url, models=MODELS), tmp_path) as gateway:
        await canary(gateway, "c1", naming(NAMES["voter_models"]))
        await shadow(gateway, "c2", naming(NAMES["intent_models"]))
        assert len(gateway.core.epoch.policies["assistant"].drawn) == 2
        await gateway.worker.reload(settings(url, models=FEWER))
        view = gateway.core.epoch.policies["assistant"]
        assert (len(view.drawn), view.shadows, len(view.problems)) == (1, (), 2)
        assert [(await gateway.ask(f"question {n}"))[0] for n in range(5)] == [200] * 5
        async with gateway.http.get(f"{gateway.process.admin_url}/metrics") as answer:
            (line,) = [one for one in (await answer.text()).splitlines() if one.startswith(LEFT_OUT)]
        assert float(line.split()[-1]) >= 2.0  # both, in each epoch since


@pytest.mark.parametrize("gene", ["model_key", "cascade_model", "cascade_verifier"])
def test_an_empty_name_is_refused_at_load(gene: str) -> None:
    with pytest.raises(ValueError, match="at least 1 character"):
        settings("http://127.0.0.1:1/v1", {"genome": {"strategy": {gene: ""}}})
