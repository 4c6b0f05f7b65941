"""The product's no-harm e-process for all runs at once: the same bets, starts and weights as `policies.evidence`."""

import numpy as np

from loadtests.evidence.rates import Floats
from loadtests.evidence.streams import Bools, Ints, Stream
from policies.evidence.noharm import BETS, Rho
from policies.evidence.starts import AT_ONCE, PERIOD_S, kept, reserve, weight


def steps(challenger: Bools, q: Floats, target: float, rho: float) -> Floats:
    """log(1 + lambda X) of a failure: from the definition, not from the product's table of factors."""
    bet = (target - rho) / rho * q * (1.0 - q) / (target * q + 1.0 - q)
    return np.asarray(np.where(challenger, np.log1p(bet / q), np.log1p(-bet * rho / (1.0 - q))))


def e_values(stream: Stream, rho: Rho = 1, *, times: Ints | int = 1, late: bool = True) -> Floats:
    """(events, runs): the e-value after each failure, NaN in the padding.

    `times` is by how much an event counts (1 in the product). Without `late` all capital bets from the first unit on.
    """
    targets = [target for r, target in BETS if r == rho]
    logs = [
        np.cumsum(np.where(stream.real, times * steps(stream.challenger, stream.q, target, rho), 0.0), axis=0)
        for target in targets
    ]
    period = np.where(stream.real, stream.at, 0.0).astype(np.int64) // PERIOD_S
    total = np.full(stream.unit.shape, 0.0)
    for log in logs:
        stakes = _stakes(stream, log, period) if late else 0.0
        total += np.exp(np.minimum(log + stakes, 690.0)) / len(targets)
    if late:
        total += np.array([reserve(k) for k in range(int(period.max()) + 1)])[period]
    return np.where(stream.real, total, np.nan)


def _stakes(stream: Stream, log: Floats, period: Ints) -> Floats:
    """The log of what is staked per unit of total wealth, at each event: the first unit of a run comes at time 0."""
    last = int(period.max())
    columns = np.arange(stream.runs)
    before = {0: np.zeros(stream.runs)}
    for start in range(1, last + 1):
        earlier = (stream.real & (stream.at < start * PERIOD_S)).sum(axis=0)
        before[start] = np.where(earlier > 0, log[np.maximum(earlier - 1, 0), columns], 0.0)
    staked = np.empty((last + 1, stream.runs))
    for now in range(last + 1):
        parts = [np.full(stream.runs, np.log(AT_ONCE))]
        parts += [np.log(weight(start)) - before[start] for start in kept(0, now) if weight(start)]
        staked[now] = np.logaddexp.reduce(parts, axis=0)
    return np.asarray(staked[period, columns[None, :]])


def crossed(e: Floats, alpha: float) -> Bools:
    """For each run whether the e-value ever reaches 1/alpha."""
    return np.asarray(np.nan_to_num(e, nan=0.0).max(axis=0) >= 1.0 / alpha)


def first(e: Floats, alpha: float) -> Ints:
    """For each run the event at which it does; -1 where it never does."""
    reached = np.nan_to_num(e, nan=0.0) >= 1.0 / alpha
    return np.asarray(np.where(reached.any(axis=0), reached.argmax(axis=0), -1))
