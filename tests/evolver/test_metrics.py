"""The numbers: every label's values are bounded, and each says what happened."""

from pathlib import Path

from evolver.cycle import Result
from evolver.daemon import Daemon
from evolver.metrics import BREEDERS, OTHER, breeder, lag_s
from evolver.store.reads import Progress
from policies.genome import Lineage
from policies.registry.values import Finding
from tests.evolver.support import POLICY, START, World, exchange, make_settings


def test_operators_are_bounded() -> None:
    assert breeder("template:labels") == "template"
    assert breeder("reflection:reflection_v1") == "reflection"
    assert breeder("jitter") in {"jitter", OTHER}
    assert {breeder(word) for word in ("", "file p_x.json", "ignore all rules", "x:template")} == {OTHER}
    assert OTHER not in BREEDERS


async def test_a_cycle_is_counted_with_what_it_found(world: World) -> None:
    async with Daemon(make_settings(), world.home, clock=lambda: START) as daemon:
        result = Result(
            10, 2, 3, 40, 0.1, ("c",), "", best=0.75, hypervolume=0.5, operators={"template:a": 2, "zzz": 1}
        )
        daemon.metrics.cycle(result, 12.0)
        daemon.metrics.cycles.labels("ended").inc()
        await world.registry.add_findings([Finding("f1", POLICY, "prompt_weakness", START, 0.5, "s", "r", {})])
        made = await world.candidate("judged")
        assert made.lineage == Lineage(source="patch")
        text = (await daemon.exposition()).decode()
    for line in (
        'evogate_evolver_cycles_total{outcome="ended"} 1.0',
        'evogate_evolver_proposals_made_total{operator="template"} 2.0',
        'evogate_evolver_proposals_made_total{operator="other"} 1.0',
        'evogate_evolver_proposals{fate="judged",operator="other"} 1.0',
        'evogate_evolver_findings{kind="prompt_weakness"} 1.0',
        'evogate_evolver_findings{kind="degrading_tool"} 0.0',
        "evogate_evolver_best_fitness 0.75",
        "evogate_evolver_hypervolume_ratio 0.5",
        "evogate_evolver_search_calls_total 40.0",
        "evogate_evolver_day_calls 0.0",
        "evogate_evolver_lag_seconds 0.0",
    ):
        assert line in text, line


def test_the_lag_is_the_age_of_what_is_not_read(tmp_path: Path, world: World) -> None:
    world.spool(exchange(1, at=START - 50))
    spool = world.home / "spool"
    assert lag_s(spool, [], ["w0"], START) == 50.0
    assert lag_s(spool, [Progress("w0", 99, 0, 0, 0)], ["w0"], START) == 0.0
    assert lag_s(spool, [], [], START) == 0.0
