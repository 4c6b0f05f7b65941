import json
from math import exp, fsum
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.evidence import ExperimentEvidence
from policies.evidence.noharm import BETS, RHOS, Rho, Wealth, log_factors
from policies.evidence.starts import AT_ONCE, PERIOD_S, Part, Starts, combined, kept, reserve, weight

START = 1_700_000_000
Unit = tuple[float, bool, bool]  # assigned at, candidate, failed
Q = 0.3


def test_the_capital_is_spent_once() -> None:
    weights = [weight(k) for k in range(1, 20_000)]
    assert AT_ONCE + fsum(weights) == pytest.approx(1.0)
    for k in (0, 1, 7, 300, 20_000):
        assert fsum(weights[:k]) + reserve(k) == pytest.approx(1.0 - AT_ONCE)
    assert weights[-1] == 0.0


@given(st.integers(0, 10_000_000), st.integers(0, 3000))
def test_starts_are_kept_as_long_as_their_index_is_round(first: int, periods: int) -> None:
    newest = first + periods
    expected = [s for s in range(first + 1, newest + 1) if newest - s < 4 * (s & -s)]
    assert kept(first, newest) == expected
    assert len(expected) <= 4 + 2 * periods.bit_length()
    assert {s for s in kept(first, newest + 1) if s <= newest} <= set(expected)


def by_definition(units: list[Unit], newest: int, rho: Rho) -> float:
    """The mixture's wealth from its definition: for each start the product over the units that follow it."""
    first = int(units[0][0]) // PERIOD_S
    starts = [s for s in range(first + 1, newest + 1) if newest - s < 4 * (s & -s)]
    total, bets = 0.0, [i for i, bet in enumerate(BETS) if bet[0] == rho]
    for bet in bets:
        for start, share in ((first, AT_ONCE), *((s, weight(s - first)) for s in starts)):
            log = sum(log_factors(Q)[c][bet] for at, c, failed in units if failed and at >= start * PERIOD_S)
            total += share * exp(log) / len(bets)
    return total + 1.0 - AT_ONCE - sum(weight(k) for k in range(1, newest - first + 1))


def fed(units: list[Unit], **changes: Any) -> ExperimentEvidence:
    values = {"alpha": 0.01, "ratio": 2.0, "window_s": 600.0, "deadline_s": 10.0, **changes}
    subject = ExperimentEvidence("experiment", **values)
    for i, (at, challenger, failed) in enumerate(units):
        subject.assigned(str(i), at=at, challenger=challenger, q=Q)
        subject.settled(str(i), "refusal" if failed else None, now=at)
        subject.advance(at)
    return subject


GAPS = st.lists(st.tuples(st.floats(0.0, 2000.0), st.booleans(), st.booleans()), min_size=1, max_size=60)


def timed(gaps: list[Unit]) -> list[Unit]:
    at, found = float(START), []
    for gap, challenger, failed in gaps:
        at += gap
        found.append((at, challenger, failed))
    return found


@settings(max_examples=60)
@given(GAPS)
def test_the_e_value_is_that_of_the_definition(gaps: list[Unit]) -> None:
    units = timed(gaps)
    view = fed(units)._alone(100.0)
    for rho in RHOS:
        expected = by_definition(units, int(units[-1][0]) // PERIOD_S, rho)
        assert view.channel("answer", rho) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=60)
@given(GAPS, st.lists(st.integers(0, 2), min_size=60, max_size=60))
def test_totals_of_writers_add_up_to_the_same(gaps: list[Unit], writers: list[int]) -> None:
    units = timed(gaps)
    parts = [[u for u, writer in zip(units, writers, strict=False) if writer == each] for each in range(3)]
    fleet = [fed(part) for part in parts]
    end = units[-1][0] + 30.0
    for subject in fleet:
        subject.advance(end)
    peers = [dict(json.loads(json.dumps(list(subject.totals().items())))) for subject in fleet[1:]]
    view = fleet[0]._fleet(peers)
    for rho in RHOS:
        assert view.channel("answer", rho) == pytest.approx(by_definition(units, int(end) // PERIOD_S, rho), rel=1e-9)


def test_a_writer_that_has_dropped_a_start_only_lowers_the_sum() -> None:
    units = timed([(250.0, i % 3 == 0, i % 2 == 0) for i in range(40)])
    far = Starts()
    for at, _, _ in units:
        far.turn(int(at), (0.0,) * len(BETS))
    behind = Starts()
    behind.turn(START, (0.0,) * len(BETS))
    both = [Part(far, Wealth()), Part(behind, Wealth())]
    # At an earlier watermark some starts that would still count are gone from the writer that is ahead.
    earlier = START + 3000.0
    stakes = combined(both, earlier)
    complete = combined([Part(behind, Wealth())], earlier)
    assert stakes.reserve == complete.reserve
    assert all(ours < full for ours, full in zip(stakes.logs, complete.logs, strict=True))


def test_before_the_first_unit_the_capital_is_whole() -> None:
    assert Wealth().e_value(1, Starts().stakes()) == pytest.approx(1.0)
    assert Wealth().e_value(2, combined([], START)) == pytest.approx(1.0)


def test_state_survives_json_and_stays_small() -> None:
    starts, logs = Starts(), [0.0] * len(BETS)
    for period in range(2000):
        logs = [value - 0.5 for value in logs]
        starts.turn(START + period * PERIOD_S, logs)
    assert len(starts.before) <= 26
    restored = Starts.from_dict(json.loads(json.dumps(starts.to_dict())))
    assert restored.stakes() == starts.stakes()
    total = Wealth()
    total.logs = list(logs)
    assert 0.0 < total.e_value(1, starts.stakes()) < 1.0


def test_harm_after_a_long_quiet_time_trips_the_product_long_before_the_plain_wealth_would() -> None:
    rng, units, quiet = Random(3), [], 5 * 3600
    for second in range(quiet + 3600):
        challenger = rng.random() < Q
        rate = 0.2 if challenger and second >= quiet else 0.04
        units.append((float(START + second), challenger, rng.random() < rate))
    subject, plain, tripped = fed(units[:quiet]), Wealth(), None
    for _, challenger, failed in units[:quiet]:
        plain.add(challenger, Q, failed)
    assert not subject.decision().rolls_back
    for i, (at, challenger, failed) in enumerate(units[quiet:]):
        subject.assigned(f"late {i}", at=at, challenger=challenger, q=Q)
        subject.settled(f"late {i}", "refusal" if failed else None, now=at)
        plain.add(challenger, Q, failed)
        if subject.advance(at) and subject.decision().rolls_back:
            tripped = i
            break
    assert tripped is not None
    assert tripped < 1500
    assert plain.e_value(1) < 1.0
