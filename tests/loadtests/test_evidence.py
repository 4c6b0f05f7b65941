"""The acceptance matrix tests the product: its simulation agrees with the product's code on identical streams."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, mannwhitneyu

from loadtests.evidence import promotions, rivals, speed
from loadtests.evidence.__main__ import main
from loadtests.evidence.false_trips import RATES_P0, SHARES, WORLDS, Cell, measure
from loadtests.evidence.noharm import crossed, e_values
from loadtests.evidence.power import early, late
from loadtests.evidence.rates import diurnal
from loadtests.evidence.report import exceeded, false_trips
from loadtests.evidence.report import speed as speed_table
from loadtests.evidence.routing import RECORDED
from loadtests.evidence.speed import Figure
from loadtests.evidence.streams import BLOCK, bernoulli, harmed, stream
from policies.bandit import Posterior, probability_best
from policies.evidence import ExperimentEvidence, PromotionTest
from policies.evidence.noharm import Rho
from policies.evidence.starts import PERIOD_S

START = 1024.0 * 1400.0 * PERIOD_S  # as round as the 0 that the simulation counts from: it decides what is kept


def product(challenger: list[bool], failed: list[bool], q: list[float], per_s: float) -> list[tuple[float, float]]:
    """E(rho=1), E(rho=2) of the product's answer channel after each failure, fed one unit at a time."""
    subject = ExperimentEvidence("experiment", alpha=0.01, ratio=2.0, window_s=3600.0, deadline_s=120.0)
    found = []
    for unit, (arm, bad, odds) in enumerate(zip(challenger, failed, q, strict=True)):
        at = START + unit / per_s
        subject.assigned(str(unit), at=at, challenger=arm, q=odds)
        subject.settled(str(unit), "server_error" if bad else None, now=at)
        subject.advance(at)
        if bad:
            view = subject._alone(100.0)
            found.append((view.channel("answer", 1), view.channel("answer", 2)))
    return found


@pytest.mark.parametrize("share", ["0.2", "adaptive"])
def test_the_no_harm_simulation_is_the_product(share: str) -> None:
    rng, units, per_s = np.random.default_rng(1), 3000, 0.64
    failed = bernoulli(rng, diurnal(0.08, units), 3)
    found = stream(rng, failed, SHARES[share], per_s=per_s, lags=2)
    for run in range(3):
        real = found.real[:, run]
        arms = dict(zip(found.unit[real, run].tolist(), found.challenger[real, run].tolist(), strict=True))
        odds = dict(zip(found.unit[real, run].tolist(), found.q[real, run].tolist(), strict=True))
        # Units that did not fail have no part in the wealth, whatever their arm: but the first one sets the clock.
        theirs = product(
            [arms.get(unit, False) for unit in range(units)],
            failed[:, run].tolist(),
            [odds.get(unit, 0.5) for unit in range(units)],
            per_s,
        )
        rhos: tuple[Rho, Rho] = (1, 2)
        ours = np.stack([e_values(found, rho)[real, run] for rho in rhos], axis=1)
        assert ours == pytest.approx(np.array(theirs), rel=1e-9)
    assert found.at[found.real].max() > 12 * PERIOD_S  # starts were dropped meanwhile


def test_a_harmed_stream_counts_as_the_product_does() -> None:
    rng = np.random.default_rng(2)
    found, served = harmed(rng, np.full(4000, 0.05), 20, 0.3, 3.0, per_s=1.0)
    assert found.units.sum(axis=(0, 1)).tolist() == [4000] * 20
    assert found.failures.sum() == found.real.sum()
    assert found.failures[1].sum() == (found.challenger & found.real).sum()
    assert served[found.real].max() <= 4000
    rate = found.failures.sum(axis=(1, 2)) / found.units.sum(axis=(1, 2))
    assert rate == pytest.approx([0.05, 0.15], abs=0.01)


def test_the_promotion_simulation_is_the_product() -> None:
    rng = np.random.default_rng(3)
    bets = {name: promotions.Bets(delta, 2) for name, delta in promotions.MARGINS.items()}
    tests = [PromotionTest(min_gain=0.01, failure=0.05, latency=0.05, cost=0.05) for _ in range(2)]
    for i, unit in enumerate(promotions.units(rng, 2, 0.1, drift=True)):
        if i == 1500:
            break
        for name, each in bets.items():
            each.add(unit.challenger, unit.q, unit.values[name])
        for run, test in enumerate(tests):
            test.add(
                bool(unit.challenger[run]),
                unit.q,
                reward=float(unit.values["reward"][run]),
                failed=unit.values["failure"][run] == 0.0,
                latency_share=1.0 - float(unit.values["latency"][run]),
                cost_share=1.0 - float(unit.values["cost"][run]),
            )
    for run, test in enumerate(tests):
        ours = {name: float(each.e_value[run]) for name, each in bets.items()}
        assert ours == pytest.approx(test.e_values, rel=1e-9)


@pytest.mark.parametrize("world", WORLDS)
def test_identical_candidates_are_hardly_ever_accused(world: str) -> None:
    runs = 200
    cell = measure(world, 0.05, "0.2", runs, seed=7)
    assert cell.trips["E 1 %"] <= binom.ppf(0.999, runs, 0.01)
    assert cell.trips["E 5 %"] <= binom.ppf(0.999, runs, 0.05)
    if world == "delay skew":
        assert cell.trips["arrival order"] >= 0.5 * runs
    if world == "conversations":
        assert cell.trips["every turn counted"] >= 0.1 * runs


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("share", SHARES)
def test_the_whole_matrix(world: str, share: str) -> None:
    for p0 in RATES_P0:
        cell = measure(world, p0, share, 1000, seed=8)
        assert cell.trips["E 1 %"] <= 21, cell
        assert cell.trips["E 5 %"] <= 73, cell


def test_harm_is_found_with_the_reference_power() -> None:
    found = [early(ratio, 150, seed=9) for ratio in (3, 20)]
    assert all(each.found == each.runs for each in found)
    assert 200 <= found[0].requests <= 320
    assert 10 <= found[1].requests <= 18
    assert found[0].requests < found[0].combined < 1.4 * found[0].requests


def test_late_harm_is_found_sooner_with_later_starts() -> None:
    found = late(6.0, 5, 40, seed=10)
    assert found.with_starts_min < 0.75 * found.all_at_once_min


def test_rules_of_others_on_a_world_with_drift() -> None:
    """Pooled means promote what is three points worse; the product does not."""
    runs = 100
    pool = promotions.pool(np.random.default_rng(11), runs, promotions.WORSE, drift=True)
    made = promotions.promoted(pool)
    assert made["EvoGate"].sum() <= binom.ppf(0.999, runs, 0.05)
    assert made["P(best)"].sum() > 0.5 * runs


def test_e_lond_holds_its_promise_on_its_worst_null() -> None:
    """Null candidates whose largest e-values are as heavy-tailed as Ville allows: P(E >= x) = 1/x."""
    rng = np.random.default_rng(12)
    null, good = 1.0 / rng.random(200_000), np.full(10, 1e9)
    found = [promotions.elond_stream(rng, good, null) for _ in range(40)]
    shares = [wrong / max(right + wrong, 1) for right, wrong, _ in found]
    assert np.mean(shares) <= promotions.FDR
    assert all(right == all_good for right, _, all_good in found)


def counts(n0: list[int], bad0: list[int], n1: list[int], bad1: list[int]) -> tuple[NDArray[np.int64], ...]:
    return np.array([n0, n1])[:, :, None], np.array([bad0, bad1])[:, :, None]


def test_tensorzeros_rule_by_hand() -> None:
    # 100 units each, 10 and 30 failures: gap 0.2, variances 0.0909 and 0.2121 over 100: 0.04 / (2 * 0.00303) = 6.6;
    # the limit is ln((1 + ln 200) / 0.05) = 4.84.
    table = counts([100], [10], [100], [30])
    assert rivals.tensorzero(*table)[0]
    assert not rivals.tensorzero(*table, worse=False)[0]
    assert not rivals.tensorzero(*counts([100], [10], [100], [26]))[0]  # 0.0256 / (2 * 0.00285) = 4.5
    assert not rivals.tensorzero(*counts([100], [0], [9], [9]))[0]  # fewer than ten
    # 0.0102 / (2 * 0.00107) = 4.77, below ln((1 + ln 1100) / 0.05) = 5.08: the limit grows with all units.
    assert not rivals.tensorzero(*counts([100], [10], [1000], [201]))[0]


def test_p_best_is_that_of_beta_posteriors() -> None:
    for bad0, bad1 in ((20, 14), (30, 60), (200, 150)):
        exact = probability_best([Posterior(1 + bad0, 1001 - bad0), Posterior(1 + bad1, 501 - bad1)])[1]
        ours = rivals.probability_worse(np.array([[1000.0], [500.0]]), np.array([[bad0], [bad1]], dtype=float))[0]
        assert ours == pytest.approx(exact, abs=0.02)


def test_mann_whitney_without_a_shift_is_scipys() -> None:
    rng = np.random.default_rng(13)
    x, y = rng.normal(0.3, 1.0, (300, 15)), rng.normal(0.0, 1.0, (300, 20))
    # The tolerance moves x by a quarter of the shift; undo that, so that the plain test remains.
    shift = np.abs(np.median((x[:, :, None] - y[:, None, :]).reshape(300, -1), axis=1))
    plain = [
        mannwhitneyu(a - 0.25 * d, b, alternative="greater").pvalue < 0.01 for a, b, d in zip(x, y, shift, strict=True)
    ]
    assert rivals.mann_whitney_high(x, y).tolist() == plain


def test_ties_weigh_in_the_spread_as_scipys_do() -> None:
    """Failure rates that are mostly 0: where the median shift is 0 as well, the plain test remains."""
    rng = np.random.default_rng(15)
    x, y = (rng.random((400, 24)) < 0.4).astype(float), (rng.random((400, 24)) < 0.1).astype(float)
    unmoved = x.mean(axis=1) * (1.0 - y.mean(axis=1)) < 0.49
    x, y = x[unmoved], y[unmoved]
    found = [mannwhitneyu(a, b, alternative="greater", method="asymptotic").pvalue for a, b in zip(x, y, strict=True)]
    assert rivals.mann_whitney_high(x, y).tolist() == [bool(p < 0.01) for p in found]
    assert 30 < sum(p < 0.01 for p in found) < len(found) - 30


def test_crossing_is_ever_having_crossed() -> None:
    e = np.array([[1.0, 120.0], [99.9, 0.1], [np.nan, np.nan]])
    assert crossed(e, 0.01).tolist() == [False, True]


def test_the_command_prints_every_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--runs", "20", "--streams", "3", "--seeds", "1", "--cells", "stationary/0.05/0.2"]
    assert main(options) == 0
    printed = capsys.readouterr().out
    for row in ("stationary", "20x", "24 h, then 20x", "better by 0.10", "EvoGate (e-LOND)"):
        assert f"| {row} |" in printed
    assert ("| cheap always |" in printed) == RECORDED.exists()
    assert main([*options, "--json", "--parts", "trips"]) == 0
    (cell,) = json.loads(capsys.readouterr().out)["trips"]
    assert (cell["world"], cell["p0"], cell["share"], cell["runs"]) == ("stationary", 0.05, "0.2", 20)


def test_more_trips_than_chance_allows_fail_the_command() -> None:
    sound = Cell("stationary", 0.01, "0.2", 1000, {"E 1 %": 21, "E 5 %": 73})
    assert exceeded([sound]) == []
    broken = Cell("stationary", 0.01, "0.2", 1000, {"E 1 %": 22, "E 5 %": 74})
    assert len(exceeded([broken])) == 2
    assert "**22**" in false_trips([broken])


def test_blocks_hold_all_units() -> None:
    rng = np.random.default_rng(14)
    failed = bernoulli(rng, np.full(2000, 0.1), 5)
    found = stream(rng, failed, 0.5, per_s=1.0)
    assert found.units.sum(axis=0).tolist() == [[BLOCK] * 5] * 20
    assert found.failures.sum(axis=(0, 1)).tolist() == failed.sum(axis=0).tolist()


def test_what_decisions_cost_is_measured_on_the_product_and_printed() -> None:
    found = speed.measure(units=2_000, conversations=800, rounds=1)
    assert [each.goal_s for each in found] == [5e-6, 5e-3, 50e-6, 2e-5]
    for each in found:
        assert 0.0 < each.each_s < 100.0 * each.goal_s, "off by more than any machine's load"
        assert each.loops > 1.0
    text = speed_table([*found, Figure("slow", 2.0, 1.0, 5e7)])
    assert len(text.splitlines()) == 2 + 2 + 5
    assert "| evidence, one outcome | " in text
    assert text.endswith("| slow | 2000.00 ms | 1000.00 ms | **no** | 50,000,000 |")
