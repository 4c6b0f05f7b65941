"""Failure rates over time, by unit: the worlds that the matrix and the product's own statistical tests share."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def constant(p0: float, units: int) -> Floats:
    """The same rate all the time."""
    return np.full(units, p0)


def diurnal(p0: float, units: int) -> Floats:
    """Two days, the rate between a tenth of p0 and nearly double."""
    return np.asarray(p0 * (1.0 + 0.9 * np.sin(np.linspace(0.0, 4.0 * np.pi, units))))


def outage(p0: float, units: int) -> Floats:
    """The middle tenth fails 25 times as often (at most 95 %)."""
    rates = np.full(units, p0)
    rates[int(0.45 * units) : int(0.55 * units)] = min(25.0 * p0, 0.95)
    return rates


def intents(p0: float, units: int) -> Floats:
    """Intents with very different rates take turns."""
    return np.asarray(np.where(np.arange(units) // 500 % 2, min(4.0 * p0, 0.9), p0 / 4.0))


RATES: dict[str, Callable[[float, int], Floats]] = {
    "stationary": constant,
    "diurnal": diurnal,
    "25x outage": outage,
    "intent shift": intents,
}
