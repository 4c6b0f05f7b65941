"""Whose turn it is in canary: what a candidate is expected to gain, and when a running one gives way to another.

Smith's rule, as for jobs on one machine: whoever gains most for the conversations that its proof still takes goes
first. A gain d is proven after about 2 v log(threshold / e-value) / d^2 conversations, so that d^3 / log(threshold /
e-value) is compared. Before anybody is in canary that is the order of the gains; against a running one it weighs what
is proven already. Nothing here touches the evidence: an e-process may be left at any time, and a second turn begins a
new one, at its own place in the stream and with half of the breaker's error to spend.
"""

from collections.abc import Mapping
from math import log, sqrt
from typing import Any

from policies.registry.values import Candidate

GAINS = 0.05**2  # the variance of true gains: what the judge likes and what a canary shows are shrunk by it
UNSEEN = (10, 0.5)  # pairs, and their variance, that the scatter of the judge's preferences is mixed with
SCATTER = 0.25  # the largest variance of rewards
ENOUGH = 50  # units of each arm, before which nothing is given up
FACTOR = 2.0  # by which another must be ahead: estimates are noisy, and a turn that was begun costs something


def expected(candidate: Candidate) -> float:
    """The gain in reward to be hoped for: the promise, moved towards what an earlier turn in canary has measured."""
    return posterior(promise(candidate), candidate.stations.get("promotion", {}))[0]


def posterior(promised: float, measured: Mapping[str, Any]) -> tuple[float, float]:
    """Mean and standard deviation of a gain: the promise and a canary's estimate, each weighed by how sure it is.

    Gains are taken as normal around what was promised, and rewards to scatter as much as they can.
    """
    units = measured.get("units", (0, 0))
    if min(units) == 0:
        return promised, sqrt(GAINS)
    weight = GAINS / (GAINS + SCATTER * sum(1.0 / n for n in units))
    return promised + weight * (float(measured["estimates"]["reward"]) - promised), sqrt(GAINS * (1.0 - weight))


def gives_way(running: float, waiting: float, *, e_value: float, needed: float, next_needed: float) -> bool:
    """Whether expected gains and the proof that is still to come speak for the one that waits.

    Args:
        running: what the candidate in canary may well gain: expectation and standard deviation together, so that bad
            luck at the beginning is no reason.
        waiting: the expected gain of the best one that is judged.
        e_value: the running one's so far.
        needed, next_needed: the e-values that promote the running one, and the next one to begin.
    """
    left = log(needed) - min(log(max(e_value, 1e-9)), log(needed) - 1e-9)
    return max(waiting, 0.0) ** 3 * left > FACTOR * max(running, 0.0) ** 3 * log(next_needed)


def promise(candidate: Candidate) -> float:
    """The gain in reward that shadow and judge let hope for; it decides nothing but the order of the queue.

    Where users were given the very same content before, what they made of it counts instead of the shadow's estimate.
    The judge's liking is shrunk towards nothing: of a few dozen pairs it is mostly noise, and a candidate that passed
    at its first look was lucky more often than not.
    """
    gain = candidate.stations.get("log", {}).get("gain")
    if gain is None:
        gain = candidate.stations.get("shadow", {}).get("quality", {}).get("estimate", 0.0)
    return float(gain) + _liking(candidate.stations.get("judge", {}).get("preferences", []))


def _liking(preferences: list[float]) -> float:
    """The mean preference (-1..1), shrunk by how much it scatters: the posterior mean under normal gains."""
    n, (unseen, spread) = len(preferences), UNSEEN
    mean = sum(preferences) / max(n, 1)
    variance = (sum((one - mean) ** 2 for one in preferences) + unseen * spread) / (n + unseen)
    return mean * n / (n + variance / GAINS)
