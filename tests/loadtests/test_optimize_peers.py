"""Other optimizers: the protocol with a trivial far side, what a candidate means, and each peer that is installed."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from loadtests.bench.peers import folder
from loadtests.optimize.candidates import Translator
from loadtests.optimize.compare import runs
from loadtests.optimize.peers import FAR, Peer, PeerError, installed
from loadtests.optimize.routing_world import FILE, RoutingWorld
from loadtests.optimize.sandbox_world import SandboxWorld
from loadtests.optimize.settings import GRID, SETTINGS
from policies.genome import Genome, LayerName, StrategyLayer

MISBEHAVING = """
import json, sys
sys.path.insert(0, {far!r})
from line import World

def optimize(world, task):
    if task.options["how"] == "raises":
        raise RuntimeError("no idea")
    if task.options["how"] == "ends":
        print("out of here", file=sys.stderr)
        sys.exit(3)
    while True:
        world.evaluate(task.start, task.examples)

World().tasks(optimize)
"""


@pytest.fixture
def trivial() -> Iterator[Peer]:
    with Peer(sys.executable, FAR / "first_found.py") as peer:
        yield peer


@pytest.fixture
def misbehaving(tmp_path: Path) -> Iterator[Peer]:
    script = tmp_path / "misbehaving.py"
    script.write_text(MISBEHAVING.format(far=str(FAR)))
    with Peer(sys.executable, script) as peer:
        yield peer


def test_a_far_optimizer_works_in_our_world_run_after_run(trivial: Peer) -> None:
    found = runs(SandboxWorld, range(2), 40, {"trivial": trivial.optimize})
    assert {run.overshoot for run in found} == {0}
    assert all(0.0 <= run.reported <= 1.0 for run in found)
    assert found == runs(SandboxWorld, range(2), 40, {"trivial": trivial.optimize})


async def test_the_world_counts_whatever_the_far_side_says(trivial: Peer) -> None:
    world = SandboxWorld(1)
    await trivial.optimize(world, 40, np.random.default_rng(1))
    assert world.calls == 40


@pytest.mark.parametrize(
    ("how", "said"), [("raises", "no idea"), ("ends", "out of here"), ("spends", "spent 240 of 40 calls")]
)
async def test_a_far_side_that_fails_is_an_error_that_says_why(misbehaving: Peer, how: str, said: str) -> None:
    for _ in range(2):  # the second time in a fresh process
        with pytest.raises(PeerError, match=said):
            await misbehaving.optimize(SandboxWorld(1), 40, np.random.default_rng(1), {"how": how})


def test_candidates_mean_what_they_were_told() -> None:
    world = SandboxWorld(2)
    translator = Translator(world, np.random.default_rng(2))
    genome = world.base
    for _ in range(12):
        genome = translator.vary(genome, None)
        assert translator.meant(translator.told(genome)) == genome
    assert genome != world.base
    assert translator.meant({"choices": json.dumps([0] * len(translator.space))}) == world.base
    assert translator.meant({"choices": json.dumps([1] * len(translator.space))}) != world.base


def test_the_reflection_model_keeps_to_the_part_that_it_is_asked_for() -> None:
    world = SandboxWorld(2)
    translator = Translator(world, np.random.default_rng(2))
    parts: tuple[LayerName, ...] = ("prompt", "strategy")
    for part in parts:
        assert world.base.changed_layers(translator.vary(world.base, part)) == (part,)
    one, other = translator.vary(world.base, "prompt"), translator.vary(world.base, "strategy")
    assert translator.cross(one, other) in {one, other} | {
        one.with_layer("strategy", other),
        one.with_layer("prompt", other),
    }


def test_what_is_not_installed_is_left_out_and_said_to_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVOGATE_PEERS", str(tmp_path))
    with installed() as found:
        assert found == {}
    said = capsys.readouterr().err
    assert all(f"{name}: left out" in said for name in SETTINGS)


def test_what_is_tuned_can_be_tuned() -> None:
    assert GRID.keys() <= SETTINGS.keys()
    for name, setting in SETTINGS.items():
        for world in ("sandbox", "prompt bank", "routing outcomes"):
            assert setting.of(world).items() >= setting.by_world.get(world, {}).items(), name


@pytest.mark.slow
@pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is not there")
async def test_the_routing_world_scores_models_and_routes_by_its_own_record() -> None:
    world = RoutingWorld(1)
    weak, auto = (Genome(strategy=StrategyLayer(model_key=key)) for key in ("weak", "auto"))
    scores = await world.evaluate(weak, world.examples)
    assert {round(score.quality, 3) for score in scores} == {0.098, 0.998}
    assert 0.6 < world.truth(weak) < world.truth(world.base) + 0.1 < 0.9
    assert world.truth(auto) not in {world.truth(weak), world.truth(world.base)}
    assert world.truth(weak) != RoutingWorld(1, reporting=False).truth(weak)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SETTINGS))
def test_each_installed_optimizer_finds_something(name: str) -> None:
    setting = SETTINGS[name]
    if not (folder() / setting.peer).exists():
        pytest.skip(f"{setting.peer} is not installed in {folder()}: python -m loadtests.peers.optimizers")
    with installed({name: setting}) as found:
        done = runs(SandboxWorld, range(4), 300, found)
    assert len(done) == 4
    assert np.mean([run.true for run in done]) >= np.mean([run.base for run in done]) - 0.02
    assert any(run.true != run.base for run in done)
