from math import inf, log
from random import Random

import pytest

from policies.evidence.breaker import Reading, Run, Verdict, detectable_ratio, judge, literal_ratio, run_limit
from policies.evidence.noharm import Counts


def counts(production: tuple[int, int], challenger: tuple[int, int]) -> Counts:
    found = Counts()
    for arm, (units, failures) in enumerate((production, challenger)):
        found.units[arm], found.failures[arm] = units, failures
    return found


def reading(worse: float, twice: float = 1.0, *, exceeded: bool = True, threshold: float = 100.0) -> Reading:
    return Reading(worse, twice, exceeded, threshold)


RULES: list[tuple[Verdict, list[Reading], bool, Verdict]] = [
    ("CLEAR", [reading(4.9)], False, "CLEAR"),
    ("CLEAR", [reading(5.0)], False, "SUSPECT"),
    ("CLEAR", [reading(5.0, exceeded=False)], False, "CLEAR"),
    ("CLEAR", [reading(99.9)], False, "SUSPECT"),
    ("CLEAR", [reading(100.0)], False, "TRIP"),
    ("CLEAR", [reading(1e9, exceeded=False)], False, "CLEAR"),
    ("CLEAR", [reading(1.0, 100.0, exceeded=False)], False, "SEVERE"),
    ("CLEAR", [reading(0.1)], True, "SUSPECT"),
    ("SUSPECT", [reading(2.0, exceeded=False)], False, "SUSPECT"),
    ("SUSPECT", [reading(1.9)], False, "CLEAR"),
    ("SUSPECT", [reading(100.0)], False, "TRIP"),
    ("TRIP", [reading(0.01, exceeded=False)], False, "TRIP"),
    ("TRIP", [reading(1e3, 100.0)], False, "SEVERE"),
    ("SEVERE", [reading(0.01, 0.01, exceeded=False)], False, "SEVERE"),
    ("CLEAR", [reading(399.0, threshold=400.0), reading(99.0)], False, "SUSPECT"),
    ("CLEAR", [reading(399.0, threshold=400.0), reading(100.0)], False, "TRIP"),
    ("CLEAR", [reading(400.0, threshold=400.0), reading(99.0)], False, "TRIP"),
]


@pytest.mark.parametrize(("before", "readings", "runaway", "after"), RULES)
def test_rules(before: Verdict, readings: list[Reading], runaway: bool, after: Verdict) -> None:
    assert judge(before, readings, runaway=runaway) == after


def test_literal_ratio() -> None:
    assert literal_ratio(counts((100, 2), (50, 3))) == pytest.approx(3.0)
    assert literal_ratio(counts((100, 0), (50, 3))) == inf
    assert literal_ratio(counts((100, 2), (50, 0))) == 0.0
    assert literal_ratio(counts((0, 0), (0, 0))) == 0.0


def test_run_limit_is_one_in_a_million() -> None:
    assert run_limit(0.02) == 6  # 0.1^6
    assert run_limit(0.002) == 3
    assert run_limit(0.5) == 39  # never held to more than 70 %


def run_of(outcomes: str) -> Run:
    """`f` and `s` are the candidate's failure and success, `F` and `S` production's."""
    run = Run()
    for outcome in outcomes:
        run.add(outcome in "fs", outcome in "fF")
    return run


USUAL = counts((1000, 18), (250, 6))  # a run of six is too long


@pytest.mark.parametrize(
    ("outcomes", "runaway"),
    [
        ("SSS" + "fSSSS" * 6, True),
        ("fSSSS" * 5, False),
        ("fSSSS" * 5 + "s" + "fSSSS" * 5, False),
        ("ffffff", False),  # nobody knows how production fares
        ("fFFSF" * 6, False),  # production fails as well
        ("fSSSS" * 6 + "F", True),  # one failure is production's usual
    ],
)
def test_a_run_of_failures_accuses_unless_production_shares_it(outcomes: str, runaway: bool) -> None:
    assert run_of(outcomes).runaway(USUAL) is runaway


def test_without_a_baseline_a_run_must_be_long() -> None:
    assert not run_of("fS" * 38).runaway(Counts())


@pytest.mark.parametrize(("p0", "requests"), [(0.001, 11_906), (0.01, 1_177), (0.05, 223)])
def test_detectable_ratio_is_that_of_the_likelihood_where_the_candidate_is_rare(p0: float, requests: float) -> None:
    found = detectable_ratio(1e4, requests / (1e4 * 3600), p0, 3600.0, 0.01)
    assert found == pytest.approx(2.0, rel=0.03)


def test_detectable_ratio_follows_traffic_and_share() -> None:
    few, many = detectable_ratio(0.5, 0.2, 0.02, 3600.0, 0.01), detectable_ratio(50.0, 0.2, 0.02, 3600.0, 0.01)
    assert few is not None
    assert many is not None
    assert 1.0 < many < few
    mean = few * 0.2 + 0.8  # at the ratio found, the expected growth is exactly what is needed
    assert 1800 * 0.02 * (0.2 * few * log(few) - mean * log(mean)) == pytest.approx(log(100), rel=1e-4)


@pytest.mark.parametrize(("rate", "q", "p0"), [(0.0, 0.2, 0.02), (1.0, 0.0, 0.02), (1.0, 0.2, 0.0), (0.0001, 0.2, 0.5)])
def test_nothing_is_detectable_without_traffic_failures_or_share(rate: float, q: float, p0: float) -> None:
    assert detectable_ratio(rate, q, p0, 3600.0, 0.01) is None


@pytest.mark.parametrize("p0", [0.02, 0.3, 0.5, 0.8])
def test_a_long_outage_never_looks_like_a_run_of_the_candidate_alone(p0: float) -> None:
    """It fills the window itself, so that production's usual rate is the outage's."""
    rng, run, window = Random(1), Run(), Counts()
    for unit in range(3_000):
        challenger = rng.random() < 0.3
        failed = rng.random() < (p0 if unit < 300 else 0.98)
        run.add(challenger, failed)
        window.units[challenger] += 1
        window.failures[challenger] += failed
        if unit >= 320:
            assert not run.runaway(window)
