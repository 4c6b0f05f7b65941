"""Rate limits: one token bucket per credential."""

from dataclasses import dataclass, field


@dataclass
class RateLimit:
    """At most `per_s` requests a second and credential, with as many in a burst.

    Pure: `now` is seconds on any monotone clock. Buckets of at most `capacity` credentials are remembered.
    """

    per_s: float
    capacity: int = 4096
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)  # credential -> (tokens, as of)

    def take(self, credential: str, now: float) -> tuple[float, dict[str, str]]:
        """Take one request: seconds to wait (0: go ahead), and the `x-ratelimit-*` headers that say so."""
        burst = max(1.0, self.per_s)
        tokens, at = self._buckets.pop(credential, (burst, now))
        tokens = min(burst, tokens + (now - at) * self.per_s)
        wait = 0.0 if tokens >= 1.0 else (1.0 - tokens) / self.per_s
        tokens -= 1.0 if wait == 0.0 else 0.0
        self._buckets[credential] = (tokens, now)
        if len(self._buckets) > self.capacity:
            del self._buckets[next(iter(self._buckets))]
        return wait, {
            "x-ratelimit-limit-requests": f"{burst:.0f}",
            "x-ratelimit-remaining-requests": f"{tokens:.0f}",
            "x-ratelimit-reset-requests": f"{(burst - tokens) / self.per_s:.3f}s",
        }
