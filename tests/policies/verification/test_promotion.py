"""The rerun of a promotion test gives, bit for bit, what the evolver's own reading gave."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from config.policy import Policy
from evolver.replay import gates_of, weights_of
from evolver.stations import promotion as station
from evolver.store import Unit as Stored
from policies.evidence import PromotionTest
from policies.verification.promotion import Rerun, Unit
from policies.verification.terms import Timeline
from tests.policies.verification.rows import NOW, candidate, experiment, genome, terms_note, version

CANDIDATE, CONTROL = candidate(genome=genome("better")), version(0)
ARMS = (CONTROL.genome.content_hash, CANDIDATE.genome.content_hash)
SIDES = (frozenset(ARMS[:1]), frozenset(ARMS[1:]))
POLICY = Policy.model_validate({"breaker": {"deadline_s": 10}})
N = 300


def made(rng: Random) -> tuple[list[Unit], list[Stored]]:
    """The same units as recorded and as the evolver's database gives them: late, missing, scored, of other arms."""
    recorded, stored = [], []
    for n in range(N):
        q = rng.choice([0.1, 0.2, 0.5])
        arms = [(ARMS[0], 1.0 - q - 0.05), (ARMS[1], q), ("c" * 32, 0.05)]
        arm = rng.choices([name for name, _ in arms], [share for _, share in arms])[0]
        common: dict[str, Any] = {
            "id": f"r{n:05d}",
            "at": NOW + 1.0 + n,
            "arm": arm,
            "intent": rng.choice(["", "math"]),
        }
        failure = rng.choice([None] * 8 + ["refusal", "rate_limited"])
        answer: dict[str, Any] = {
            "failure": failure, "validators": rng.choice([{}, {"json_schema": 0.95}]), "cost_usd": rng.random() / 50,
            "last_byte_ms": 8000.0 * rng.random(), "output_tokens": rng.randrange(99), "repairs": rng.randrange(2),
        }  # fmt: skip
        late_s = rng.choice([0.5, 0.5, 0.5, 11.0, None])
        score, said_s = rng.choice([None, None, 0.2, 1.0]), rng.choice([1.0, 12.0])
        unit = Unit({**common, "arms": [list(pair) for pair in arms]})
        if late_s is not None:
            unit.settled({**answer, "at": unit.at + late_s})
        if score is not None:
            unit.scores.append((unit.at + said_s, score))
        recorded.append(unit)
        missing = late_s is None or late_s > 10.0
        none: dict[str, Any] = {"failure": None, "validators": {}, "cost_usd": 0.0, "output_tokens": 0, "repairs": 0}
        values = none if missing else {name: answer[name] for name in none}
        latency_ms = 0.0 if missing else answer["last_byte_ms"]
        stored.append(
            Stored(**common, arms=tuple(arms), missing=missing, latency_ms=latency_ms, reward=None,
                   score=score if said_s <= 10.0 else None, **values)
        )  # fmt: skip
    return recorded, stored


def evolvers(stored: list[Stored], test: PromotionTest | None = None) -> dict[str, object]:
    margins = POLICY.promotion.non_inferiority
    trial = station.Trial(
        experiment=experiment(1),
        test=test
        or PromotionTest(
            min_gain=POLICY.promotion.min_gain,
            quality=margins.quality,
            failure=margins.failure,
            latency=margins.latency,
            cost=margins.cost,
        ),
        sides=SIDES,
        budgets=(POLICY.budgets.p95_ms, POLICY.budgets.usd_per_request),
        weights=weights_of(POLICY),
        after=(NOW, ""),
    )
    for unit in stored:
        values = station.values_of(unit, trial, gates_of(POLICY))
        if values is None:
            trial.excluded += 1
        else:
            trial.test.add(**values)
    return station.measure(trial, None, NOW)


def rerun(units: list[Unit], limit: int = N) -> Rerun:
    (terms,) = Timeline([terms_note(0.0, breaker={"deadline_s": 10})]).at(NOW)
    found = Rerun(experiment(1), CANDIDATE, SIDES, terms)
    found.run(units, at=NOW + N + 100.0, limit=limit)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_it_comes_out_as_the_evolver_measured(seed: int) -> None:
    recorded, stored = made(Random(seed))
    measured = evolvers(stored)
    found = rerun(recorded)
    assert found.excluded > 0
    assert found.disagreement(measured) is None
    assert found.measured().keys() <= measured.keys()


def test_one_unit_more_or_less_or_changed_shows() -> None:
    recorded, stored = made(Random(7))
    measured = evolvers(stored)
    assert rerun(recorded, N - 1).disagreement(measured) is not None
    assert rerun(recorded[1:]).disagreement(measured) is not None
    failed = next(unit for unit in recorded if unit.arm == ARMS[1] and unit.outcome and unit.outcome_at - unit.at < 1.0)
    failed.outcome = (None if failed.outcome and failed.outcome[0] else "refusal", {}, 10.0, 1, 0, 0.0)
    assert rerun(recorded).disagreement(measured) is not None


def test_only_units_that_were_due_are_taken() -> None:
    recorded, _ = made(Random(1))
    (terms,) = Timeline([terms_note(0.0, breaker={"deadline_s": 10})]).at(NOW)
    found = Rerun(replace(experiment(1), started_at=NOW + 50.0), CANDIDATE, SIDES, terms)
    found.run(recorded, at=NOW + 110.0, limit=N)
    assert found.test.n + found.excluded == 51  # from 50 s after the beginning to a deadline before 110 s


def test_what_was_decided_before_quality_was_compared_comes_out_as_it_was() -> None:
    """By the terms of its time: the margin is not among them, and neither is the metric in the evidence."""
    recorded, stored = made(Random(3))
    margins = {"failure": 0.05, "latency": 0.05, "cost": 0.05}
    old = evolvers(stored, PromotionTest(min_gain=POLICY.promotion.min_gain, **margins))
    note = terms_note(0.0, breaker={"deadline_s": 10})
    note.detail["promotion"]["non_inferiority"] = margins
    (terms,) = Timeline([note]).at(NOW)
    found = Rerun(experiment(1), CANDIDATE, SIDES, terms)
    found.run(recorded, at=NOW + N + 100.0, limit=N)
    assert "quality" not in found.measured()["e_values"]
    assert found.disagreement(old) is None


def test_a_quality_that_was_changed_on_record_shows() -> None:
    recorded, stored = made(Random(4))
    measured: Any = evolvers(stored)
    measured["estimates"]["quality"] += 0.05
    differs = rerun(recorded).disagreement(measured)
    assert differs is not None
    assert differs[0] == "evidence.estimates.quality"
