"""What the automatic decisions cost: one outcome's evidence, the odds anew, a look at an intent, and `evogate verify`.

All in seconds of processor time, the best of some rounds, and beside it in passes of a fixed loop of the interpreter:
that ratio says more than the seconds do where other work disturbs the machine, or on another one.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from config.policy import BanditSettings
from gateway.pipeline.drawings import TOLD_APART, Drawings
from gateway.pipeline.posteriors import Posteriors
from loadtests.recorded import make
from loadtests.verify import chain, decided
from policies.evidence import ExperimentEvidence
from policies.intents import Classifier
from policies.intents.classifier import MOST, ROWS
from policies.registry.values import Totals

ARMS = 10
ROUNDS = 5
_LOOPS = 1_000_000
_PER_S = 1_000.0  # units of the comparison
_TICK = 100  # units between two verdicts, as a worker gives them ten times a second
_FAILING = 0.02
_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Figure:
    """Seconds of processor time for one of what is counted; `goal` likewise. `loops`: passes of the fixed loop."""

    name: str
    each_s: float
    goal_s: float
    loops: float

    @property
    def met(self) -> bool:
        """On this machine, now."""
        return self.each_s <= self.goal_s


def measure(*, units: int = 100_000, conversations: int = 10_000, rounds: int = ROUNDS) -> list[Figure]:
    """All figures; `conversations` (of four records each) are what `verify` reads."""
    works = (_evidence(units), _refresh(), _intent())
    pairs = [(name, goal, *_both(work, rounds)) for name, goal, work in works]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        records = asyncio.run(make(home, conversations))

        def verify() -> int:
            chain(home)
            decided(home)
            return records

        pairs.append(("verify, one record", 1.0 / 50_000, *_both(verify, rounds)))
    return [Figure(name, each_s, goal, each_s / loop_s) for name, goal, each_s, loop_s in pairs]


def _both(work: Callable[[], int], rounds: int) -> tuple[float, float]:
    """Seconds for one of what `work` counts, and for one pass of the loop, side by side."""
    found = [(_each(work), _each(_loop)) for _ in range(rounds)]
    return min(each for each, _ in found), min(loop for _, loop in found)


def _each(work: Callable[[], int]) -> float:
    began = time.process_time()
    count = work()
    return (time.process_time() - began) / count


def _loop() -> int:
    total = 0
    for number in range(_LOOPS):
        total += number & 7
    return _LOOPS


def _evidence(units: int) -> tuple[str, float, Callable[[], int]]:
    """Assignment, outcome and its part in the verdicts."""
    rng = Random(1)
    drawn = [(f"{n:016x}", rng.random() < _SHARE, rng.random() < _FAILING) for n in range(units)]

    def work() -> int:
        evidence = ExperimentEvidence("e1", alpha=0.01, ratio=2.0, window_s=3_600.0, deadline_s=120.0)
        now = 1_760_000_000.0
        for number, (unit, challenger, failed) in enumerate(drawn):
            now += 1.0 / _PER_S
            evidence.assigned(unit, at=now, challenger=challenger, q=_SHARE)
            evidence.settled(unit, "server_error" if failed else None, now=now)
            if number % _TICK == 0:
                evidence.advance(now)
                evidence.decision()
        return units

    return "evidence, one outcome", 5e-6, work


def _refresh() -> tuple[str, float, Callable[[], int]]:
    """The odds of all requests and of every intent that is told apart."""
    rng, posteriors = Random(2), Posteriors("w0")
    arms = [f"{n:032x}" for n in range(ARMS)]
    intents = [f"intent {n}" for n in range(TOLD_APART)]

    def counts(weight: int) -> list[float]:
        good = weight * (0.6 + 0.1 * rng.random())
        return [1.0 + good, 1.0 + weight - good]

    posteriors.take(
        Totals("posterior", f"p/{arm}", "w1", 0, {"": counts(800), "intents": {i: counts(100) for i in intents}}, 0, 0)
        for arm in arms
    )
    drawings = Drawings("p", arms[0], arms[1:], None, None, (), (), BanditSettings(), posteriors)
    times = 20

    def work() -> int:
        for _ in range(times):
            overall = drawings.overall(None)
            assert len(drawings.by_intent({}, overall)) == TOLD_APART
        return times

    return f"odds, a refresh with {ARMS} arms and {TOLD_APART} intents", 5e-3, work


def _intent() -> tuple[str, float, Callable[[], int]]:
    """The intent of a request of some 2,000 characters, among as many intents as a classifier may tell apart."""
    names = tuple(f"intent {n:02}" for n in range(MOST))
    weights = np.random.default_rng(3).integers(-128, 128, (ROWS, len(names)), dtype=np.int8)
    classifier = Classifier(names, 0.05, (0.01,) * len(names), weights)
    text = "Please extract the vendor, the amount and the due date from the following invoice and return JSON. " * 20
    times = 500

    def work() -> int:
        for _ in range(times):
            classifier.classify(text)
        return times

    return f"intent, one look at 2,000 characters, {len(names)} intents", 50e-6, work
