"""What users have called right stays right: one anchor lost twice fails, a slip of the model does not."""

import random
from collections.abc import Sequence
from typing import cast

import pytest
from scipy.stats import binom

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
    return await regressed(BASE, CANDIDATE, examples, Script(ours, theirs), 20)


async def test_always_wrong_is_lost_and_once_is_a_slip() -> None:
    examples = [example("kept"), example("lost"), example("slip"), example("luck"), example("corrected", None, "5")]
    ours = {"kept": ["4"], "lost": ["4"] * 4, "slip": ["4"], "luck": ["4", "4", "9"], "corrected": ["5"] * 4}
    theirs = {
        "kept": ["4"],
        "lost": ["7", "8", "7", "7"],
        "slip": ["7", "4"],
        "luck": ["7"] * 4,
        "corrected": ["4"] * 4,
    }
    held = ["kept", "lost", "slip", "luck", "corrected"]
    assert await lost(examples, ours, theirs) == (held, ["lost", "corrected"])


class Chance(Script):
    """Both genomes get each anchor right with the same chance."""

    def __init__(self, right: float, rng: random.Random) -> None:
        super().__init__({}, {})
        self._right, self._rng = right, rng

    async def run(self, genome: Genome, examples: Sequence[Example]) -> list[Replayed]:
        for each in examples:
            self.answers[genome.content_hash][each.id] = ["4" if self._rng.random() < self._right else "7"]
        return await super().run(genome, examples)


@pytest.mark.parametrize("right", [0.5, 0.85])
async def test_a_candidate_that_is_no_worse_passes(right: float) -> None:
    """At most 20 anchors x 0.4 % of those at one half; 200 runs stay below its 99.9 % quantile."""
    replay = Chance(right, random.Random(7))
    examples = [example(f"a{n}") for n in range(20)]
    failed = 0
    for _ in range(200):
        found = await regressed(BASE, CANDIDATE, examples, replay, 20)
        failed += found is not None and bool(found[1])
    assert failed <= binom.ppf(0.999, 200, 20 * 0.25**4)


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
