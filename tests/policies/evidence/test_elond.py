import numpy as np
import pytest

from policies.evidence.elond import gamma, threshold


def test_the_budget_is_spent_once() -> None:
    assert sum(gamma(k) for k in range(1, 100_000)) == pytest.approx(1.0, abs=1e-4)


def test_thresholds() -> None:
    assert threshold(1, 0, 0.10) == pytest.approx(20.0)
    assert threshold(2, 0, 0.10) == pytest.approx(60.0)
    assert threshold(2, 1, 0.10) == pytest.approx(30.0)


@pytest.mark.parametrize(("k", "promotions", "alpha"), [(0, 0, 0.1), (1, -1, 0.1), (1, 0, 0.0), (1, 0, 1.0)])
def test_what_has_no_threshold_is_refused(k: int, promotions: int, alpha: float) -> None:
    with pytest.raises(ValueError, match="no e-LOND threshold"):
        threshold(k, promotions, alpha)


def test_the_share_of_false_promotions_stays_below_alpha() -> None:
    """Streams of 30 candidates, a tenth truly better; the null's e-values are the most treacherous: 0 or exactly 30."""
    rng, runs, shares, falsely = np.random.default_rng(61), 3000, [], 0
    for _ in range(runs):
        promotions, wrong = 0, 0
        for k in range(1, 31):
            better = rng.random() < 0.1
            e_value = 5000.0 if better else 30.0 * (rng.random() < 1 / 30)
            if e_value >= threshold(k, promotions, 0.10):
                promotions += 1
                wrong += not better
        shares.append(wrong / max(promotions, 1))
        falsely += wrong
    assert falsely > 0
    assert np.mean(shares) <= 0.10 + 3.09 * np.std(shares) / np.sqrt(runs)
