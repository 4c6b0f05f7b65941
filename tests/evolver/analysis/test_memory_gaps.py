"""Topics that fail without a near entry are found; those that memory covers, and those held out, are not."""

from typing import Any

import numpy as np

from evolver.analysis import Thresholds
from evolver.analysis.memory_gaps import memory_gaps
from evolver.analysis.topics import topics
from evolver.examples import Example
from policies.registry.values import Finding
from tests.evolver.analysis.test_analyze import findings_of
from tests.evolver.analysis.worlds import TOPICS, recordings

NEAR, FAR = {"m1": 9.0}, {"m2": 1.0}


def gaps(examples: list[Example]) -> list[Finding]:
    return [finding for finding in findings_of(examples) if finding.kind == "memory_gap"]


def world(lacking: dict[str, float], *, covered: float = 0.02, failing: float = 0.4, n: int = 800) -> list[Example]:
    """Requests of the topics in `lacking` have nothing near with that probability, and then fail at that rate."""

    def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
        bare = rng.random() < lacking.get(topic, 0.0)
        memory: dict[str, float] = ({} if rng.random() < 0.5 else FAR) if bare else NEAR
        return {"memory": memory, "score": float(rng.random() >= (failing if bare else covered))}

    return recordings(np.random.default_rng(4), n, plant)


def test_a_topic_that_fails_without_entries_is_found_and_nothing_else() -> None:
    examples = world({"mood": 0.6})
    (finding,) = gaps(examples)
    evidence = finding.evidence
    assert set(evidence["terms"][:4]) <= set(TOPICS["mood"])
    assert evidence["n"] >= 20
    assert evidence["interval"][0] < 0.4 < evidence["interval"][1]
    assert evidence["above_the_covered"][0] > 0.0
    by_id = {example.id: example for example in examples}
    assert all(by_id[name].memory in ({}, FAR) and by_id[name].bad for name in evidence["records"])
    assert 0.0 < finding.severity <= 1.0
    assert "nothing near in memory" in finding.summary


def test_without_memory_there_is_no_gap_in_it() -> None:
    def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
        return {"score": float(rng.random() >= 0.4)}

    assert gaps(recordings(np.random.default_rng(5), 400, plant)) == []


def test_what_was_held_out_is_no_gap() -> None:
    def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
        held_out = topic == "mood"
        return {"memory": {"m1": -9.0} if held_out else NEAR, "score": float(not held_out or rng.random() >= 0.5)}

    assert gaps(recordings(np.random.default_rng(6), 400, plant)) == []


def test_failures_of_delivery_are_no_gap() -> None:
    def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
        down = topic == "mood" and rng.random() < 0.5
        return {"memory": {} if topic == "mood" else NEAR, "failure": "server_error" if down else None}

    assert gaps(recordings(np.random.default_rng(7), 400, plant)) == []


def test_a_few_conversations_say_nothing() -> None:
    assert gaps(world({"mood": 0.1}, n=120)) == []


def test_where_missing_entries_change_nothing_few_are_found() -> None:
    """Failures at the tolerated rate with and without entries: at most 6 of 40 worlds show a gap."""
    limits, found = Thresholds(), 0
    for seed in range(40):
        rng = np.random.default_rng(seed)

        def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
            return {"memory": NEAR if rng.random() < 0.5 else {}, "score": float(rng.random() >= 0.05)}

        examples = recordings(rng, 200, plant)
        groups = topics(examples, by_model=False, rng=rng)
        found += any(one.p_value < limits.false_discovery / len(groups) for one in memory_gaps(groups, limits, rng))
    assert found <= 6  # 40 worlds at 5 %: more than 6 with a probability of 0.3 %
