"""Harm by class of failure: each kind is an e-process of its own, and a permitted trade is no harm."""

import json
from random import Random

import pytest

from policies.evidence import CHANNELS, ExperimentEvidence
from policies.evidence.channels import BY_CLASS, FAILED_ANSWER
from policies.outcome import UNION, FailureClass

START = 1_700_000_000.0
Rates = dict[str, tuple[float, float]]  # by class: production's, the candidate's


def evidence() -> ExperimentEvidence:
    return ExperimentEvidence("e", alpha=0.01, ratio=2.0, window_s=3600.0, deadline_s=60.0)


def draw(rng: Random, rates: Rates, challenger: bool) -> str | None:
    at = rng.random()
    for failure, by_arm in rates.items():
        at -= by_arm[challenger]
        if at < 0.0:
            return failure
    return None


def feed(writers: list[ExperimentEvidence], rng: Random, rates: Rates, *, units: int = 3000, q: float = 0.2) -> float:
    """Units a tenth of a second apart, dealt to the writers in turn; the time at the end."""
    at = START
    for i in range(units):
        at = START + 0.1 * i
        challenger = rng.random() < q
        subject = writers[i % len(writers)]
        subject.assigned(str(i), at=at, challenger=challenger, q=q)
        subject.settled(str(i), draw(rng, rates, challenger), now=at)
    for subject in writers:
        subject.advance(at + 61.0)
    return at + 61.0


def test_the_weights_are_shares_of_one_capital() -> None:
    assert sum(channel.weight for channel in CHANNELS) == pytest.approx(1.0)
    assert len({channel.name for channel in CHANNELS}) == len(CHANNELS)


def test_every_failure_of_an_answer_is_known_to_a_channel() -> None:
    slow_or_dear = {FailureClass.TOO_SLOW, FailureClass.TOO_DEAR}
    assert UNION - slow_or_dear <= FAILED_ANSWER
    assert not FAILED_ANSWER & slow_or_dear
    assert set(BY_CLASS) <= FAILED_ANSWER | slow_or_dear
    faults_here = {FailureClass.FELL_OPEN, FailureClass.FELL_BACK, FailureClass.JUDGED_BAD}
    assert UNION - set(BY_CLASS) == faults_here


def test_a_rare_class_is_seen_long_before_the_union_shows_it() -> None:
    """Refusals rise from 0.2 % to 4 %, among 20 % of other failures: by a fifth in all."""
    rates = {"refusal": (0.002, 0.04), "invalid_output": (0.2, 0.2)}
    decisions = []
    for seed in range(10):
        subject = evidence()
        feed([subject], Random(seed), rates)
        decisions.append(subject.decision())
    trips = [d for d in decisions if d.rolls_back]
    assert len(trips) >= 8
    assert all(d.evidence["e_values"]["answer"]["1"] < 200.0 for d in trips[:1])
    assert sum("refusals" in d.summary for d in trips) >= 6
    assert sum(d.evidence["e_values"]["refusal"]["1"] > 1e3 for d in trips) >= 8


def test_a_candidate_up_to_twice_as_slow_or_dear_does_not_trip_and_a_much_slower_one_does() -> None:
    permitted = {"too_slow": (0.05, 0.095), "too_dear": (0.05, 0.095)}
    for seed in range(20):
        subject = evidence()
        feed([subject], Random(seed), permitted)
        assert subject.decision().verdict == "CLEAR"
        assert subject.decision().evidence["counts"]["answer"]["challenger"][1] == 0
    subject = evidence()
    feed([subject], Random(1), {"too_slow": (0.05, 0.6)})
    assert subject.decision().rolls_back
    assert "slow" in subject.decision().summary


def test_an_identical_candidate_keeps_every_class_below_the_bound() -> None:
    rates = dict.fromkeys(("transport", "server_error", "refusal", "too_slow", "invalid_output"), (0.02, 0.02))
    crossed = 0
    for seed in range(60):
        subject = evidence()
        feed([subject], Random(seed), rates, units=800)
        crossed += subject._alone(100.0).e_value(1) >= 100.0
    assert crossed <= 4, "of 60 at alpha = 1 %: P(more than 4) < 0.001"


def test_one_writer_and_a_fleet_of_three_find_the_same_by_class() -> None:
    rates = {"refusal": (0.02, 0.06), "too_dear": (0.01, 0.02)}
    alone, fleet = [evidence()], [evidence() for _ in range(3)]
    feed(alone, Random(3), rates)
    feed(fleet, Random(3), rates)
    peers = [dict(json.loads(json.dumps(list(each.totals().items())))) for each in fleet[1:]]
    summed, own = fleet[0]._fleet(peers), alone[0]._alone(100.0)
    assert set(summed.totals) == set(own.totals) == {"answer", "later", "judgement", "refusal", "dear"}
    for name, total in own.totals.items():
        assert summed.totals[name].counts.to_dict() == total.counts.to_dict()
        assert summed.totals[name].logs == pytest.approx(total.logs)
        assert summed.channel(name, 1) == pytest.approx(own.channel(name, 1))


def test_a_class_that_only_one_writer_has_seen_counts_over_the_units_of_all() -> None:
    first, second = evidence(), evidence()
    for i in range(10):
        for subject in (first, second):
            subject.assigned(f"{i}", at=START + i, challenger=i % 2 == 0, q=0.5)
            subject.settled(f"{i}", "refusal" if subject is first and i == 2 else None, now=START + i)
    for subject in (first, second):
        subject.advance(START + 100.0)
    found = second._fleet([dict(json.loads(json.dumps(list(first.totals().items()))))])
    assert found.totals["refusal"].counts.to_dict() == {"production": [10, 0], "challenger": [10, 1]}
    assert found.windows["refusal"].to_dict() == {"production": [10, 0], "challenger": [10, 1]}


def test_a_failure_among_later_answers_counts_once_for_the_conversation() -> None:
    subject = evidence()
    subject.assigned("talk", at=START, challenger=True, q=0.2)
    subject.settled("talk", None, now=START + 1)
    subject.followed("talk", "client_gone", now=START + 2)  # says nothing about the arm
    subject.followed("talk", "refusal", now=START + 3)
    subject.followed("talk", "refusal", now=START + 4)
    subject.advance(START + 61)
    counts = subject.decision().evidence["counts"]
    assert counts["answer"]["challenger"] == [1, 0]
    assert counts["later"]["challenger"] == [1, 1]
    assert "refusal" not in counts


def test_the_literal_rules_figures_stand_beside_the_evidence() -> None:
    subject = evidence()
    feed([subject], Random(5), {"server_error": (0.02, 0.10)})
    literal = subject.decision().evidence["literal"]
    assert literal["limit"] == 2.0
    assert literal["exceeded"] is True
    assert 3.0 < literal["ratios"]["answer"] < 8.0
    assert json.loads(json.dumps(literal)) == literal
