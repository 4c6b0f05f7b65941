"""What others do, on the same block tables: looked at after every block, as a running canary is.

Each function gives, for every run, whether the rule ever rejected (or promoted) the candidate.

* The literal rule: the candidate's failure rate above twice production's, both counted over the window.
* TensorZero's stopping rule (track_and_stop/check_stopping.rs, defaults delta 0.05, epsilon 0, at least 10 of each):
  gap^2 / (2 (v1/n1 + v0/n0)) > ln((1 + ln n)/delta), v the arms' empirical variances, means pooled over time.
* "P(best) > 0.95": Beta posteriors of pooled counts, the difference's moments matched by a normal distribution; where
  an arm has few failures by gamma distributions, for which the comparison is an incomplete beta function.
* Kayenta's Mann-Whitney (MannWhitneyClassifier.scala as NetflixACAJudge calls it: confidence 0.98, tolerance 0.25):
  rejected where the interval's lower end exceeds a quarter of the Hodges-Lehmann estimate; the samples are the failure
  rates of successive intervals, and the analysis is repeated as they come in.
"""

import numpy as np
from scipy.special import betainc, ndtr

from loadtests.evidence.rates import Floats
from loadtests.evidence.streams import Bools, Ints

LEAST = 100  # units of the candidate before the literal rule speaks
_Z98 = 2.3263478740408408
_FEW = 8


def _pooled(units: Ints, failures: Ints) -> tuple[Floats, Floats]:
    return np.cumsum(units, axis=1).astype(float), np.cumsum(failures, axis=1).astype(float)


def literal(units: Ints, failures: Ints) -> Bools:
    """Ratio above 2; the streams are shorter than the window."""
    n, bad = _pooled(units, failures)
    rate = bad / np.maximum(n, 1.0)
    return np.asarray(((rate[1] > 2.0 * rate[0]) & (n[1] >= LEAST) & (bad[1] > 0)).any(axis=0))


def tensorzero(units: Ints, failures: Ints, *, worse: bool = True, delta: float = 0.05) -> Bools:
    """The rule stops with production (`worse`) or with the candidate as the winner."""
    n, bad = _pooled(units, failures)
    mean = bad / np.maximum(n, 1.0)
    variance = np.maximum(mean * (1.0 - mean) * n / np.maximum(n - 1.0, 1.0), 1e-12)
    gap = mean[1] - mean[0] if worse else mean[0] - mean[1]
    statistic = gap**2 / (2.0 * (variance / np.maximum(n, 1.0)).sum(axis=0))
    limit = np.log((1.0 + np.log(n.sum(axis=0))) / delta)
    return np.asarray(((gap > 0) & (n.min(axis=0) >= 10) & (statistic > limit)).any(axis=0))


def probability_worse(n: Floats, bad: Floats) -> Floats:
    """P(the candidate's failure rate is above production's), uniform priors; n and bad have production's first."""
    a, b = bad + 1.0, n - bad + 1.0
    mean, weight = a / (a + b), a + b
    spread = np.sqrt((mean * (1.0 - mean) / (weight + 1.0)).sum(axis=0))
    normal = ndtr((mean[1] - mean[0]) / spread)
    gamma = 1.0 - betainc(a[1], a[0], weight[1] / (weight[1] + weight[0]))
    return np.asarray(np.where(bad.min(axis=0) >= _FEW, normal, gamma))


def best(units: Ints, failures: Ints, *, worse: bool = True, limit: float = 0.95) -> Bools:
    """P(best) passes 95 % for production (`worse`) or for the candidate, with at least 100 units of it."""
    n, bad = _pooled(units, failures)
    probability = probability_worse(n, bad)
    passed = probability > limit if worse else probability < 1.0 - limit
    return np.asarray((passed & (n[1] >= LEAST)).any(axis=0))


def kayenta(units: Ints, failures: Ints, *, worse: bool = True, points: int = 12, looks: int = 5) -> Bools:
    """Repeated after each `points` intervals; an interval is as many blocks as give `points` x `looks` of them."""
    points = min(points, units.shape[1] // looks)
    blocks = units.shape[1] // (points * looks) * points * looks
    interval = blocks // (points * looks)
    shape = (2, points * looks, interval, units.shape[2])
    n, bad = (table[:, :blocks].reshape(shape).sum(axis=2) for table in (units, failures))
    rate = bad / np.maximum(n, 1)
    rejected = np.zeros(units.shape[2], dtype=bool)
    for look in range(1, looks + 1):
        x, y = (rate[1], rate[0]) if worse else (rate[0], rate[1])
        rejected |= mann_whitney_high(x[: look * points].T, y[: look * points].T)
    return rejected


def mann_whitney_high(x: Floats, y: Floats) -> Bools:
    """For each row whether x's lower confidence bound lies above a quarter of |the shift| (see the module)."""
    pairs = (x[:, :, None] - y[:, None, :]).reshape(len(x), -1)
    shift = np.abs(np.median(pairs, axis=1))
    moved = x - 0.25 * shift[:, None]
    differences = moved[:, :, None] - y[:, None, :]
    count = (differences > 1e-15).sum(axis=(1, 2)) + 0.5 * (np.abs(differences) <= 1e-15).sum(axis=(1, 2))
    m, n = x.shape[1], y.shape[1]
    deviation = count - m * n / 2.0
    both = np.concatenate([moved, y], axis=1)
    ties = (np.abs(both[:, :, None] - both[:, None, :]) <= 1e-15).sum(axis=2)
    total = float(m + n)
    spread = np.sqrt(
        np.maximum(m * n / 12.0 * (total + 1.0 - (ties**2 - 1.0).sum(axis=1) / (total * (total - 1.0))), 0)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (deviation - 0.5 * np.sign(deviation)) / spread
    return np.asarray(np.nan_to_num(z) > _Z98)
