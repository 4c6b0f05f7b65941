"""Quantiles of what was counted."""

from collections.abc import Sequence

SHOWN = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}


def quantile(ascending: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all don't exceed (nearest rank); 0 where there are none."""
    if not ascending:
        return 0.0
    rank = max(0, -int(-share * len(ascending) // 1) - 1)
    return ascending[min(rank, len(ascending) - 1)]


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds at each quantile that is shown, and the longest."""
    ascending = sorted(seconds)
    found = {name: quantile(ascending, share) * 1e3 for name, share in SHOWN.items()}
    return {**found, "max": (ascending[-1] if ascending else 0.0) * 1e3}
