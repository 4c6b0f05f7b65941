import numpy as np
import pytest

from policies.offpolicy import Logged, estimate

RATES = np.array([[0.6, 0.8], [0.5, 0.3]])  # by intent and action
TARGET = np.array([[0.1, 0.9], [0.9, 0.1]])  # the other policy: each intent its better action
TRUTH = float((RATES * TARGET).sum(axis=1).mean())


def log(rng: np.random.Generator, units: int, *, noise: float = 0.0, share: float = 0.3) -> list[Logged]:
    """Units whose second action was logged with `share`; the model's predictions are off by `noise`."""
    found = []
    for _ in range(units):
        intent, action = int(rng.random() < 0.5), int(rng.random() < share)
        predictions = RATES[intent] + noise
        found.append(
            Logged(
                propensity=share if action else 1.0 - share,
                target=TARGET[intent, action],
                reward=float(rng.random() < RATES[intent, action]),
                predicted=predictions[action],
                expected=float(TARGET[intent] @ predictions),
            )
        )
    return found


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_all_three_find_the_truth_and_their_intervals_cover_it(noise: float) -> None:
    rng, runs = np.random.default_rng(1), 150
    found = [estimate(log(rng, 1000, noise=noise)) for _ in range(runs)]
    for name in ("ips", "snips", "doubly_robust"):
        estimates = [getattr(each, name) for each in found]
        values = np.array([each.value for each in estimates])
        assert values.mean() == pytest.approx(TRUTH, abs=4.0 * values.std() / np.sqrt(runs))
        assert np.mean([each.standard_error for each in estimates]) == pytest.approx(values.std(), rel=0.25)
        covered = sum(each.interval[0] <= TRUTH <= each.interval[1] for each in estimates)
        assert covered >= 0.88 * runs


def test_a_good_model_narrows_the_interval() -> None:
    found = estimate(log(np.random.default_rng(2), 2000))
    assert found.ips is not None
    assert found.doubly_robust is not None
    assert found.doubly_robust.standard_error < found.ips.standard_error


def test_the_logging_policy_itself_is_the_plain_mean() -> None:
    rng = np.random.default_rng(3)
    units = [Logged(p, p, float(rng.random() < 0.4)) for p in rng.uniform(0.1, 0.9, 500)]
    found = estimate(units)
    mean = np.mean([unit.reward for unit in units])
    assert found.effective == pytest.approx(500.0)
    assert found.ips is not None
    assert found.snips is not None
    assert found.ips.value == pytest.approx(mean)
    assert found.snips.value == pytest.approx(mean)


def test_rewards_of_one_are_estimated_as_one_by_snips_whatever_the_weights() -> None:
    rng = np.random.default_rng(4)
    found = estimate([Logged(u.propensity, u.target, 1.0) for u in log(rng, 800)])
    assert found.snips is not None
    assert found.snips.value == pytest.approx(1.0)
    assert found.snips.standard_error == pytest.approx(0.0, abs=1e-12)


def test_too_little_overlap_gives_no_number() -> None:
    found = estimate(log(np.random.default_rng(5), 300))
    assert found.effective < 200.0
    assert "200" in found.refused
    assert found.ips is found.snips is found.doubly_robust is None


def test_a_mean_weight_far_from_one_gives_no_number() -> None:
    rng = np.random.default_rng(6)
    units = [Logged(0.5, 0.2 if rng.random() < 0.5 else 0.1, 1.0) for _ in range(2000)]  # the rest was never logged
    found = estimate(units)
    assert found.effective > 200.0
    assert "mean weight" in found.refused
    assert found.ips is None


def test_an_empty_log_gives_no_number() -> None:
    assert estimate([]).refused


@pytest.mark.parametrize(("propensity", "target", "reward"), [(0.0, 0.5, 1.0), (1.1, 0.5, 1.0), (0.5, 1.5, 1.0)])
def test_impossible_odds_are_refused(propensity: float, target: float, reward: float) -> None:
    with pytest.raises(ValueError, match="odds"):
        Logged(propensity, target, reward)


def test_a_reward_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        Logged(0.5, 0.5, float("nan"))
