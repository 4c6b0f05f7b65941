"""Numbers kept on the request path as plain ints and floats; the exposition is built at scrape time elsewhere."""

from bisect import bisect_left
from typing import Final

from policies.resilience import Trouble
from policies.resilience.troubles import STATUSES

# Seconds. The gateway's own share of a request is what users judge a proxy by, so its scale starts at 25 microseconds.
OVERHEAD_BOUNDS: Final[tuple[float, ...]] = (
    25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 100e-3, 1.0,
)  # fmt: skip
LATENCY_BOUNDS: Final[tuple[float, ...]] = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)

MORE: Final = ("retry", "fallback", "rescue")  # attempts after the first


class Histogram:
    """Counts per bucket (the last one unbounded), and the sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Add one value, in the unit of the bounds."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """`(le, count)` as the text format wants them, `+Inf` last."""
        running, rows = 0, []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            running += count
            rows.append((bound, float(running)))
        return rows


class ArmCounters:
    """What one (policy, role) has done. Bounded labels: roles, not versions."""

    __slots__ = (
        "cost_usd", "failures", "first_byte", "input_tokens", "latency", "left_out", "output_tokens", "requests",
        "reward", "rewarded",
    )  # fmt: skip

    def __init__(self) -> None:
        self.requests = 0
        self.failures: dict[str, int] = {}
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost_usd = 0.0
        self.reward = 0.0
        self.rewarded = 0
        self.left_out = 0  # arms that could not be made ready, once for each epoch
        self.first_byte = Histogram(LATENCY_BOUNDS)
        self.latency = Histogram(LATENCY_BOUNDS)

    def failed(self, failure: str) -> None:
        """Count one answer of that failure class."""
        self.failures[failure] = self.failures.get(failure, 0) + 1


class Metrics:
    """All numbers of one worker."""

    __slots__ = (
        "arms",
        "errors",
        "feedback",
        "given_up",
        "mirror_dropped",
        "mirrored",
        "more_attempts",
        "overhead",
        "relayed",
        "reload_failures",
        "reloads",
        "signals",
        "starts_without_registry",
        "trips",
    )  # fmt: skip

    def __init__(self) -> None:
        self.arms: dict[tuple[str, str], ArmCounters] = {}
        self.overhead = Histogram(OVERHEAD_BOUNDS)
        self.relayed = 0
        self.errors: dict[str, int] = {}
        self.more_attempts: dict[tuple[str, str], int] = {}  # by (kind of attempt, what had failed)
        self.given_up: dict[str, int] = {}  # by why there was no other attempt
        self.feedback = 0
        self.signals = 0
        self.mirrored = 0
        self.mirror_dropped = 0
        self.reloads = 0
        self.reload_failures = 0
        self.trips = 0
        self.starts_without_registry = 0

    def of(self, policy: str, role: str) -> ArmCounters:
        """The counters of a policy's role, made at first use; an epoch keeps the reference."""
        return self.arms.setdefault((policy, role), ArmCounters())

    def error(self, reason: str) -> None:
        """Count one answer that the gateway made itself."""
        self.errors[reason] = self.errors.get(reason, 0) + 1

    def told(self, step: str, trouble: Trouble) -> None:
        """Count what was decided after a failed attempt.

        Args:
            step: `retry`, `fallback` or `rescue`; anything else is why there was no other attempt.
            trouble: what had failed; counted by its row in `policies.resilience.troubles`.
        """
        if step in MORE:
            known = trouble.kind == "status" and trouble.status in STATUSES
            key = step, f"status_{trouble.status}" if known else trouble.kind
            self.more_attempts[key] = self.more_attempts.get(key, 0) + 1
        else:
            self.given_up[step] = self.given_up.get(step, 0) + 1
