"""What users have called right stays right: one anchor lost twice fails, a slip of the model does not."""

from collections.abc import Sequence
from typing import cast

import pytest

from evolver.examples import Example
from evolver.provider import Completion
from evolver.replay import Replay, Replayed
from evolver.stations.anchors import regressed
from evolver.stations.gates import Gates
from policies.genome import Genome
from policies.outcome import read_answer
from tests.evolver.support import World, exchange, signal, with_rule

BASE, CANDIDATE = Genome(), with_rule(Genome(), "Be brief.")


def example(name: str, score: float | None = 1.0, correction: str | None = None, text: str = "4") -> Example:
    return Example(
        id=name, at=0.0, policy="p", unit="u", turn=1, arm="a", version="v1.0", intent="", model="m", stream=False,
        body={}, answer={"text": text}, score=score, correction=correction,
    )  # fmt: skip


class Script(Replay):
    """Answers by genome and example; each in turn where there are several."""

    def __init__(self, ours: dict[str, list[str]], theirs: dict[str, list[str]]) -> None:
        self.answers = {BASE.content_hash: ours, CANDIDATE.content_hash: theirs}

    async def run(self, genome: Genome, examples: Sequence[Example]) -> list[Replayed]:
        return [self._one_of(self.answers[genome.content_hash], each.id) for each in examples]

    def _one_of(self, answers: dict[str, list[str]], name: str) -> Replayed:
        text = answers[name].pop(0)
        body = f'{{"choices":[{{"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}]}}'
        completion = Completion(200, {}, read_answer(body.encode()), 1.0, 0.0, None)
        return Replayed(name, text != "down", None, 1.0, 1.0, {}, 1.0, 0.0, completion)


async def lost(examples: list[Example], ours: dict[str, list[str]], theirs: dict[str, list[str]]) -> object:
    return await regressed(BASE, CANDIDATE, examples, Script(ours, theirs))


async def test_twice_wrong_is_lost_and_once_is_a_slip() -> None:
    examples = [example("kept"), example("lost"), example("slip"), example("corrected", None, "5")]
    ours = {"kept": ["4"], "lost": ["4"], "slip": ["4"], "corrected": ["5"]}
    theirs = {"kept": ["4"], "lost": ["7", "8"], "slip": ["7", "4"], "corrected": ["4", "4"]}
    assert await lost(examples, ours, theirs) == (["kept", "lost", "slip", "corrected"], ["lost", "corrected"])


async def test_what_production_gets_wrong_today_is_no_anchor() -> None:
    assert await lost([example("gone")], {"gone": ["7"]}, {}) is None


async def test_an_answer_that_was_not_measured_blames_nobody() -> None:
    assert await lost([example("a")], {"a": ["4"]}, {"a": ["down"]}) == (["a"], [])
    assert await lost([example("a")], {"a": ["down"]}, {}) is None


@pytest.mark.parametrize("known", [example("plain", None), example("bad", 0.0), example("prose", 1.0, None, "x " * 99)])
async def test_without_anchors_there_is_no_gate(known: Example) -> None:
    assert await lost([known], {known.id: ["x"]}, {}) is None


async def test_the_gate_stands_beside_the_others_with_its_samples(served: World) -> None:
    frames = [frame for n in range(25) for frame in exchange(n, text=f"What is {n} + 2?", answer=str(n + 2))]
    liked = [signal(n, "feedback", {"score": 1.0, "key": str(n)}) for n in range(5)]
    await served.record([*frames, *liked])
    move = await Gates().step(await served.candidate(), served.context())
    assert move is not None
    anchors = cast("dict[str, dict[str, object]]", move.measured).get("anchors")
    if anchors is not None:  # production got one of them right
        assert anchors["samples"]
        assert anchors["passed"] is (anchors["value"] == 0.0)
