"""A hand-written set is held to: anchors must not regress, sealed texts are not quoted, wrong lines are told."""

from itertools import islice
from pathlib import Path
from random import Random

import orjson
import pytest

from evolver import cycle
from evolver.golden import handwritten, sealed
from evolver.stations.gates import Gates
from gateway.sandbox.rules import HARMFUL_RULE
from gateway.sandbox.tasks import tasks
from gateway.sandbox.worlds import World as Sandbox
from policies.errors import OperatorError
from tests.evolver.support import POLICY, World, exchange, make_settings, with_rule
from tests.evolver.test_cycle import failing_traffic

SEED = 3  # of the sandbox that `served` asks


def configure(world: World, content: bytes) -> Path:
    path = world.home / "golden.jsonl"
    path.write_bytes(content)
    url = world.settings.upstreams["sandbox"].base_url
    genome = {"prompt": {"rubric": "Answer in one short sentence."}, "strategy": {"model_key": "medium"}}
    world.configure(make_settings(url, policy={"golden_file": str(path), "genome": genome}))
    return path


def labels(count: int = 20) -> bytes:
    """Anchors: customer messages with the bare label that is right."""
    sandbox = Sandbox(SEED)
    found = islice(tasks(Random(2), sandbox, {"classification": 1.0}), count)
    rows = [
        {
            "id": f"anchor{number}",
            "input": list(task.messages),
            "expected": next(label for label in sandbox.labels if task.check(label) == 1.0),
            "anchor": True,
        }
        for number, task in enumerate(found)
    ]
    return b"\n".join(map(orjson.dumps, rows))


async def test_an_anchor_that_is_lost_fails_the_candidate(served: World) -> None:
    configure(served, labels())
    await served.record([frame for n in range(30) for frame in exchange(n, at=served.now - 100 + n)])
    candidate = await served.candidate(genome=with_rule(served.production.genome, HARMFUL_RULE))
    move = await Gates().step(candidate, served.context())
    assert move is not None
    assert move.event == "fail"
    assert "anchors" in move.reason
    lost = move.measured["anchors"]["detail"]["problems"]
    assert lost
    assert all(name.startswith("anchor") for name in lost)


async def test_a_sealed_text_may_not_be_quoted(served: World) -> None:
    line = {"input": "How many days may a customer keep a parcel that nobody has opened yet?", "expected": "14"}
    path = configure(served, b"\n".join(orjson.dumps({**line, "id": f"i{n}", "anchor": n == 0}) for n in range(1)))
    assert sealed(path) == [line["input"], "14"]
    await served.record([frame for n in range(30) for frame in exchange(n, at=served.now - 100 + n)])
    rule = f"Know {line['input'].lower()} It is fourteen."
    candidate = await served.candidate(genome=with_rule(served.production.genome, rule))
    move = await Gates().step(candidate, served.context())
    assert move is not None
    assert move.event == "fail"
    assert "quotes" in move.reason


def test_what_may_train_is_not_sealed(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    rows = [{"input": f"Question number {n} about topic {n * 7919}?", "expected": str(n)} for n in range(200)]
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    assert 0.2 < len(sealed(path)) / (2 * len(handwritten(path))) < 0.6


@pytest.mark.parametrize("station", [True, False])
async def test_a_set_with_wrong_types_is_said_and_nothing_moves(served: World, station: bool) -> None:
    path = configure(served, b'{"input": "a", "expected": 4}')
    await failing_traffic(served)
    candidate = await served.candidate()
    with pytest.raises(OperatorError, match=f"{path}:1: expected: input should be a valid string"):
        await (Gates().step(candidate, served.context()) if station else cycle.run(POLICY, served.context()))
    assert (await served.registry.candidate(candidate.id)).state == "proposed"
