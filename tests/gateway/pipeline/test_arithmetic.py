"""numpy is loaded where an epoch computes with it, in a thread, and nowhere else."""

import threading
from dataclasses import replace
from typing import Any

import pytest

from config.settings import Settings
from gateway.pipeline import arithmetic
from gateway.pipeline.snapshot import PolicySnapshot, Snapshot
from policies import arrays
from policies.genome import Genome, Lineage
from policies.registry.values import Candidate, Experiment, Holdback, Version
from tests.gateway.pipeline.conftest import settings

PLAIN = Genome.model_validate({"strategy": {"model_key": "large"}})
ROUTED = Genome.model_validate({"strategy": {"model_key": "auto"}})
RECALLING = Genome.model_validate({"memory": {"retriever_topk": 2}})
LINEAGE = Lineage(source="seed")


def version(genome: Genome) -> Version:
    return Version("assistant", (1, 0), genome, LINEAGE, 1.0, "config", "first start")


ROWS = PolicySnapshot(versions=(version(PLAIN),))
CANDIDATE = Candidate("c", "assistant", "prompt", PLAIN, "v1.0", LINEAGE, "shadow", 1.0, 1.0)
EXPERIMENT = Experiment("e", "assistant", "c", "v1.0", "salt", 1, 1.0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, False),
        ({"candidates": (CANDIDATE,)}, True),
        ({"experiments": (EXPERIMENT,)}, True),
        ({"holdback": Holdback("assistant", "v1.0", 0.05, "e", "salt", 1.0)}, True),
        ({"intents": {"version": "1"}}, True),
        ({"versions": (version(PLAIN), version(ROUTED))}, True),
        ({"versions": (version(RECALLING),)}, True),
    ],
)
def test_it_is_wanted_where_there_is_more_than_a_plain_production(change: dict[str, Any], expected: bool) -> None:
    rows = Snapshot({"assistant": replace(ROWS, **change)})
    assert arithmetic.computes(settings("http://127.0.0.1:9"), rows) is expected


@pytest.mark.parametrize(("genome", "expected"), [(PLAIN, False), (ROUTED, True), (RECALLING, True)])
def test_so_it_is_for_a_genome_of_the_file(genome: Genome, expected: bool) -> None:
    config = settings("http://127.0.0.1:9", {"genome": genome.model_dump(mode="json")})
    assert arithmetic.computes(config, Snapshot()) is expected


async def test_it_is_loaded_once_and_not_by_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[int] = []
    monkeypatch.setattr(arrays, "loaded", lambda: bool(loads))
    monkeypatch.setattr(arrays, "load", lambda: loads.append(threading.get_ident()))
    config: Settings = settings("http://127.0.0.1:9")
    plain, more = Snapshot({"assistant": ROWS}), Snapshot({"assistant": replace(ROWS, experiments=(EXPERIMENT,))})
    await arithmetic.ready(config, plain)
    assert loads == []
    for _ in range(2):
        await arithmetic.ready(config, more)
    assert len(loads) == 1
    assert loads[0] != threading.get_ident()
