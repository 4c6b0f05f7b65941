from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, pearsonr

from policies.assignment import Shares, draw, uniform

SALT = b"s" * 16
SHARES = Shares(("production", "a", "b"), (0.8, 0.18, 0.02))


def test_draws_have_the_propensities() -> None:
    units = 40_000
    counts = Counter(draw(SALT, f"{i:016x}", SHARES) for i in range(units))
    expected = [units * p for p in SHARES.propensities]
    assert chisquare([counts[arm] for arm in range(3)], expected).pvalue > 1e-3


def test_uniforms_are_uniform() -> None:
    counts = Counter(int(uniform(SALT, f"{i:016x}") * 64) for i in range(40_000))
    assert chisquare([counts[cell] for cell in range(64)]).pvalue > 1e-3


def test_another_salt_is_another_draw() -> None:
    ours = [uniform(SALT, str(i)) for i in range(5000)]
    theirs = [uniform(b"t" * 16, str(i)) for i in range(5000)]
    assert pearsonr(ours, theirs).pvalue > 1e-3
    assert ours == [uniform(SALT, str(i)) for i in range(5000)]


def test_known_values_so_that_every_release_draws_alike() -> None:
    assert uniform(b"salt", "0123456789abcdef") == 0.3203393293312544


@given(st.text(max_size=40), st.floats(0.01, 0.99))
def test_a_unit_keeps_its_arm_while_the_arms_share_grows(unit: str, share: float) -> None:
    grown = share + (1.0 - share) / 2.0
    before, after = (draw(SALT, unit, Shares(("a", "b"), (p, 1.0 - p))) for p in (share, grown))
    assert after == 0 or before == 1


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=8), st.floats(0.0, 1.0, exclude_max=True))
def test_every_number_falls_into_its_interval(weights: list[int], number: float) -> None:
    propensities = tuple(weight / sum(weights) for weight in weights)
    arm = Shares(tuple(map(str, range(len(weights)))), propensities).index(number)
    assert sum(propensities[:arm]) <= number + 1e-12
    assert number < sum(propensities[: arm + 1]) + 1e-12


@pytest.mark.parametrize(
    ("arms", "propensities"),
    [
        ((), ()),
        (("a",), (0.5, 0.5)),
        (("a", "a"), (0.5, 0.5)),
        (("a", "b"), (1.0, 0.0)),
        (("a", "b"), (0.6, 0.6)),
        (("a", "b"), (1.5, -0.5)),
        (("a",), (float("nan"),)),
    ],
)
def test_what_is_no_distribution_is_refused(arms: tuple[str, ...], propensities: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="propensities"):
        Shares(arms, propensities)


def test_propensity_by_name() -> None:
    assert SHARES.propensity("a") == 0.18
    with pytest.raises(KeyError):
        SHARES.propensity("c")
