"""Harmful candidates: how many requests until they are taken back, and who has suffered by then."""

from dataclasses import dataclass

import numpy as np

from loadtests.evidence import rivals
from loadtests.evidence.noharm import e_values, first
from loadtests.evidence.rates import constant
from loadtests.evidence.streams import harmed
from policies.evidence.channels import ANSWER, SERVER_ERROR

RATIOS = (2, 3, 5, 20)
ALPHA = 0.01
SHARE, P0, PER_S = 0.2, 0.02, 10.0
UNITS = 24_000


@dataclass(frozen=True)
class Harm:
    """Until E(rho=1) of the answer channel reaches 1/alpha; `combined` is the median with all channels in the mean.

    All failures are of one class; the channels of the other classes are silent.
    """

    ratio: int
    runs: int
    found: int
    requests: float  # of the candidate, median
    requests_p90: float
    combined: float
    delay_s: float  # median, at `PER_S` requests a second
    excess: float  # failures that production would not have had, median
    others: dict[str, int]  # runs in which the other rules reject within the same stream


def early(ratio: int, runs: int, seed: int) -> Harm:
    """Harmful from its first request on."""
    rng = np.random.default_rng([seed, 1, ratio])
    found, served = harmed(rng, constant(P0, UNITS), runs, SHARE, float(ratio), per_s=PER_S)
    e = e_values(found)
    seen = ANSWER.weight + SERVER_ERROR.weight
    at, both = first(e, ALPHA), first(seen * e + 1.0 - seen, ALPHA)
    columns = np.arange(runs)
    requests = np.where(at >= 0, served[at, columns], np.inf)
    combined = np.where(both >= 0, served[both, columns], np.inf)
    failed = np.cumsum(found.challenger & found.real, axis=0)[at, columns]
    tables = (found.units, found.failures)
    return Harm(
        ratio=ratio,
        runs=runs,
        found=int((at >= 0).sum()),
        requests=float(np.median(requests)),
        requests_p90=float(np.quantile(requests, 0.9, method="higher")),
        combined=float(np.median(combined)),
        delay_s=float(np.median(np.where(at >= 0, found.at[at, columns], np.inf))),
        excess=float(np.median(failed * (1.0 - 1.0 / ratio))),
        others={
            "literal rule": int(rivals.literal(*tables).sum()),
            "TensorZero": int(rivals.tensorzero(*tables).sum()),
            "P(best)": int(rivals.best(*tables).sum()),
            "Kayenta": int(rivals.kayenta(*tables).sum()),
        },
    )


@dataclass(frozen=True)
class Late:
    """Minutes from the onset of harm to 1/alpha, medians: all capital from the first unit on, and with later starts."""

    quiet_h: float
    ratio: int
    runs: int
    all_at_once_min: float
    with_starts_min: float


def late(quiet_h: float, ratio: int, runs: int, seed: int) -> Late:
    """Harmless at first, then `ratio` times as harmful; infinite where not seen within 24 h (fewer for more harm)."""
    rng = np.random.default_rng([seed, 2, ratio, int(quiet_h)])
    quiet, per_s = int(quiet_h * 3600), 1.0
    units = quiet + int({2: 24, 3: 12, 5: 6, 20: 3}[ratio] * 3600 * per_s)
    ratios = np.where(np.arange(units) < quiet, 1.0, float(ratio))
    found, _ = harmed(rng, constant(P0, units), runs, SHARE, ratios, per_s=per_s)
    medians = []
    for with_starts in (False, True):
        e = np.where(found.unit >= quiet, e_values(found, late=with_starts), np.nan)
        at = first(e, ALPHA)
        delay = np.where(at >= 0, found.at[at, np.arange(runs)] - quiet / per_s, np.inf)
        medians.append(float(np.median(delay)) / 60.0)
    return Late(quiet_h, ratio, runs, *medians)
