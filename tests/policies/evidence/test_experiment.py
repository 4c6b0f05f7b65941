import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.evidence import CHANNELS, FOLDED, ExperimentEvidence

START = 1_700_000_000.0


def evidence(**changes: Any) -> ExperimentEvidence:
    values = {"alpha": 0.01, "ratio": 2.0, "window_s": 3600.0, "deadline_s": 120.0, **changes}
    return ExperimentEvidence("experiment", **values)


def feed(
    subject: ExperimentEvidence,
    rng: Random,
    *,
    units: int,
    rates: tuple[float, float],
    at: float = START,
    q: float = 0.2,
    name: str = "u",
) -> float:
    """Units a tenth of a second apart with production's and the candidate's failure rate; the time at the end."""
    for i in range(units):
        at += 0.1
        challenger = rng.random() < q
        subject.assigned(f"{name}{i}", at=at, challenger=challenger, q=q)
        subject.settled(f"{name}{i}", "server_error" if rng.random() < rates[challenger] else None, now=at + 0.05)
    subject.advance(at + 0.05)
    return at + 0.05


def test_a_harmful_candidate_trips_and_stays_tripped() -> None:
    subject = evidence()
    now = feed(subject, Random(1), units=2000, rates=(0.02, 0.10))
    decision = subject.decision()
    assert decision.verdict in ("TRIP", "SEVERE")
    assert decision.rolls_back
    assert "server_error" in decision.evidence["classes"]
    assert decision.summary.startswith("The candidate is rolled back")
    feed(subject, Random(2), units=5000, rates=(0.10, 0.0), at=now, name="later")
    assert subject.decision().rolls_back


def test_an_identical_candidate_is_clear_and_its_decision_is_json() -> None:
    subject = evidence()
    feed(subject, Random(3), units=2000, rates=(0.02, 0.02))
    decision = subject.decision()
    assert decision.verdict == "CLEAR"
    assert not decision.rolls_back
    assert json.loads(json.dumps(decision.evidence)) == decision.evidence
    found = decision.evidence["counts"]["answer"]
    assert found["production"][0] + found["challenger"][0] == 2000
    assert "e-value" in decision.summary


def test_an_outage_of_the_provider_accuses_nobody() -> None:
    subject = evidence()
    now = feed(subject, Random(4), units=1000, rates=(0.02, 0.02))
    for i in range(500):
        now = feed(subject, Random(f"4{i}"), units=1, rates=(0.9, 0.9), at=now, name=f"out{i}-")
        assert not subject.decision().rolls_back
        assert not subject.decision().heuristic


def test_a_broken_candidate_is_suspected_at_once_with_a_heuristic_label() -> None:
    subject = evidence()
    now = feed(subject, Random(5), units=600, rates=(0.02, 0.02), q=0.5)
    heuristic = False
    for i in range(60):
        now = feed(subject, Random(f"5{i}"), units=1, rates=(0.0, 1.0), at=now, q=0.5, name=f"b{i}-")
        decision = subject.decision()
        heuristic = heuristic or decision.heuristic
        if decision.heuristic:
            assert decision.verdict == "SUSPECT"
            assert "heuristic" in decision.summary
    assert heuristic
    assert subject.decision().rolls_back


def test_suspicion_ends_only_below_its_lower_limit() -> None:
    subject = evidence()
    at, verdicts = START, []
    for i, (challenger, failed) in enumerate([(True, True)] * 3 + [(False, True)] * 12):
        at += 1.0
        subject.assigned(str(i), at=at, challenger=challenger, q=0.2)
        subject.settled(str(i), "refusal" if failed else None, now=at)
        subject.advance(at)
        decision = subject.decision()
        verdicts.append((decision.verdict, decision.evidence["e_values"]["combined"]["1"]))
    assert verdicts[2][0] == "SUSPECT"
    suspected = [e for verdict, e in verdicts[2:] if verdict == "SUSPECT"]
    assert any(2.0 <= e < 5.0 for e in suspected)
    assert verdicts[-1][0] == "CLEAR"
    assert verdicts[-1][1] < 2.0


@pytest.mark.parametrize("outside", ["client_gone", "auth", "rate_limited", "no such class", None])
def test_classes_outside_the_union_are_no_failures(outside: str | None) -> None:
    subject = evidence()
    subject.assigned("a", at=START, challenger=True, q=0.2)
    subject.settled("a", outside, now=START + 1)
    assert subject.advance(START + 1) is False
    assert subject.decision().evidence["counts"]["answer"]["challenger"] == [1, 0]


def test_silence_is_a_failed_answer_but_no_bad_judgement() -> None:
    subject = evidence()
    subject.assigned("a", at=START, challenger=True, q=0.2)
    assert subject.advance(START + 120.0) is False
    assert subject.advance(START + 120.1) is True
    found = subject.decision().evidence
    assert found["counts"] == {
        "answer": {"production": [0, 0], "challenger": [1, 1]},
        "later": {"production": [0, 0], "challenger": [1, 0]},
        "judgement": {"production": [0, 0], "challenger": [1, 0]},
        "unreachable": {"production": [0, 0], "challenger": [1, 1]},
    }
    assert found["classes"] == {"expired": {"production": 0, "challenger": 1}}


def test_bad_judgements_alone_trip() -> None:
    subject = evidence()
    rng = Random(6)
    for i in range(1000):
        at, challenger = START + i, rng.random() < 0.2
        subject.assigned(str(i), at=at, challenger=challenger, q=0.2)
        subject.settled(str(i), None, now=at)
        if rng.random() < (0.3 if challenger else 0.05):
            subject.judged(str(i), True, now=at + 5)
    subject.advance(START + 1200)
    decision = subject.decision()
    assert decision.rolls_back
    assert decision.evidence["e_values"]["answer"]["1"] == pytest.approx(1.0)
    assert "judgement" in decision.summary


def test_a_unit_enters_once() -> None:
    subject = evidence()
    for turn in range(5):
        subject.assigned("conversation", at=START + turn, challenger=turn > 0, q=0.2)
        subject.settled("conversation", "refusal" if turn else None, now=START + turn)
        subject.advance(START + turn)
    assert subject.decision().evidence["counts"]["answer"] == {"production": [1, 0], "challenger": [0, 0]}


def test_a_worker_alone_needs_as_many_times_the_evidence_as_there_are_writers() -> None:
    subject = evidence()
    at = START
    while subject.decision().evidence["e_values"]["combined"]["1"] < 150:
        at += 1
        subject.assigned(str(at), at=at, challenger=True, q=0.5)
        subject.settled(str(at), "refusal", now=at)
        subject.advance(at)
    assert evidence_after(at - START, writers=4).verdict == "SUSPECT"
    assert evidence_after(at - START, writers=1).verdict == "TRIP"


def evidence_after(failures: float, *, writers: int) -> Any:
    subject = evidence()
    for i in range(int(failures)):
        subject.assigned(str(i), at=START + i, challenger=True, q=0.5)
        subject.settled(str(i), "refusal", now=START + i)
    subject.advance(START + failures)
    return subject.decision(writers=writers)


def test_a_clock_that_steps_back_is_held_still() -> None:
    subject = evidence()
    subject.assigned("a", at=START + 100, challenger=True, q=0.2)
    subject.assigned("b", at=START, challenger=True, q=0.2)
    subject.settled("a", None, now=START + 100)
    subject.settled("b", None, now=START + 1)
    subject.advance(START + 100)
    subject.advance(START + 2)
    assert subject.decision().evidence["at"] == START + 100
    assert sum(subject.decision().evidence["counts"]["answer"]["challenger"]) == 2


def test_a_propensity_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="propensity"):
        evidence().assigned("a", at=START, challenger=True, q=1.0)


# -- a fleet ----------------------------------------------------------------------------------------------------------

STREAM = st.lists(  # writer, gap to the unit before, candidate, failed
    st.tuples(st.integers(0, 2), st.floats(0.0, 30.0), st.booleans(), st.booleans()), max_size=80
)


@settings(max_examples=60)
@given(STREAM)
def test_the_fleets_sum_is_that_of_one_writer_that_saw_it_all(stream: list[tuple[int, float, bool, bool]]) -> None:
    alone = evidence(window_s=60.0, deadline_s=10.0)
    fleet = [evidence(window_s=60.0, deadline_s=10.0) for _ in range(3)]
    at = START
    for i, (writer, gap, challenger, failed) in enumerate(stream):
        at += gap
        for subject in (alone, fleet[writer]):
            subject.assigned(str(i), at=at, challenger=challenger, q=0.3)
            subject.settled(str(i), "refusal" if failed else None, now=at)
            subject.advance(at)
    end = at + 30.0
    for subject in (alone, *fleet):
        subject.advance(end)
    peers = [json.loads(json.dumps(list(peer.totals().items()))) for peer in fleet[1:]]
    rows = [dict(peer) for peer in peers]
    whole = alone.decision().evidence
    fleet[0].decision()
    view = fleet[0]._fleet(rows)
    assert view.totals.keys() == whole["counts"].keys()
    for channel in (each for each in CHANNELS if each.name in view.totals):
        assert view.totals[channel.name].counts.to_dict() == whole["counts"][channel.name]
        assert view.windows[channel.name].to_dict() == whole["window"][channel.name]
        assert view.channel(channel.name, 1) == pytest.approx(whole["e_values"][channel.name]["1"])


DELAYED = st.lists(  # writer, gap, seconds until it settles, candidate, failed
    st.tuples(st.integers(0, 2), st.floats(0.0, 0.5), st.floats(0.0, 9.0), st.booleans(), st.booleans()), max_size=70
)


@settings(max_examples=60)
@given(DELAYED, st.lists(st.floats(0.0, 1.0), min_size=2, max_size=2))
def test_a_stale_peer_only_holds_back_what_it_has_not_told(
    stream: list[tuple[int, float, float, bool, bool]], heard: list[float]
) -> None:
    """Whatever each peer's last exchange was, the fleet's sum is exactly the units assigned before the watermark."""
    fleet = [evidence(window_s=60.0, deadline_s=10.0) for _ in range(3)]
    events: list[tuple[float, str, int, Any]] = []
    units, at = [], START
    for i, (writer, gap, delay, challenger, failed) in enumerate(stream):
        at += gap
        units.append((at, challenger, failed))
        events += [(at, "assign", writer, (str(i), challenger)), (at + delay, "settle", writer, (str(i), failed))]
    end = at + 1.0
    events += [(START + share * (end - START), "tell", 1 + i, None) for i, share in enumerate(heard)]
    told: dict[int, Any] = {}
    for now, what, writer, detail in sorted(events, key=lambda event: event[0]):
        if now > end:
            break
        fleet[writer].advance(now)
        if what == "assign":
            fleet[writer].assigned(detail[0], at=now, challenger=detail[1], q=0.3)
        elif what == "settle":
            fleet[writer].settled(detail[0], "refusal" if detail[1] else None, now=now)
        else:
            told[writer] = fleet[writer].totals()
    fleet[0].advance(end)
    watermark = min(rows[FOLDED]["watermark"]["answer"] for rows in (fleet[0].totals(), *told.values()))
    settled = [(c, f) for at, c, f in units if int(at) // 5 * 5 + 5 <= watermark]
    counts = fleet[0]._fleet(list(told.values())).totals["answer"].counts
    assert counts.units == [sum(not c for c, _ in settled), sum(c for c, _ in settled)]
    assert counts.failures == [sum(f and not c for c, f in settled), sum(f and c for c, f in settled)]


def test_a_fleet_trips_on_its_sum_before_any_worker_could_alone() -> None:
    fleet = [evidence() for _ in range(4)]
    for i, subject in enumerate(fleet):
        now = feed(subject, Random(f"fleet{i}"), units=160, rates=(0.02, 0.15))
        subject.advance(now + 300.0)
    first, *others = fleet
    assert not any(subject.decision(writers=4).rolls_back for subject in others)
    decision = first.decision([peer.totals() for peer in others], writers=4)
    assert decision.rolls_back
    assert decision.evidence["basis"] == "fleet"


def test_the_fleet_waits_for_its_slowest_writer_but_not_for_a_dead_one() -> None:
    ours, slow = evidence(), evidence()
    slow.assigned("waiting", at=START, challenger=False, q=0.2)
    slow.advance(START + 50)
    feed(ours, Random(7), units=400, rates=(0.0, 0.5), at=START + 1)
    dead = slow.totals()
    assert ours._fleet([dead]).totals["answer"].counts.units == [0, 0]
    ours.advance(START + 1000.0)  # far beyond the deadline: whoever is silent now is dead
    assert sum(ours._fleet([dead]).totals["answer"].counts.units) == 400


def test_rows_left_over_from_before_folding_are_not_counted_twice() -> None:
    subject, reader = evidence(window_s=10.0, deadline_s=5.0), evidence(window_s=10.0, deadline_s=5.0)
    stored: dict[int, Any] = {}
    at, seen = START, 0.0
    for i in range(100):
        at += 10.0
        subject.assigned(str(i), at=at, challenger=i % 3 == 0, q=0.3)
        subject.settled(str(i), "refusal", now=at)
        subject.advance(at)
        rows = subject.totals(since=seen)
        assert len(rows) <= 4
        stored |= rows
        seen = min(rows[FOLDED]["watermark"].values())
    subject.advance(at + 100)
    stored |= subject.totals(since=seen)
    reader.advance(at + 100)
    assert len(stored) > 50
    view = reader._fleet([stored])
    assert {channel.name for channel in CHANNELS} >= view.totals.keys() >= {"answer", "refusal"}
    for total in view.totals.values():
        assert sum(total.counts.units) == 100
