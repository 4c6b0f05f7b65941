"""What a soak has shown."""

from collections.abc import Sequence
from dataclasses import dataclass

WARM_S = 60.0
WITHIN = 0.05


@dataclass(frozen=True)
class Sample:
    """One look at the gateway. `at_s` seconds since the load began."""

    at_s: float
    resident_mb: float
    settled: int  # answers, as /metrics counts them
    lost_frames: int
    spool_mb: float


@dataclass(frozen=True)
class Verdict:
    """Answers that came whole beside outcomes on record; memory after a minute beside memory at the end."""

    answered: int
    failed: int
    recorded: int
    missed_segments: int
    after_a_minute_mb: float
    at_the_end_mb: float

    @property
    def lost(self) -> int:
        """Answers that a client has and the recordings don't."""
        return max(0, self.answered - self.recorded)

    @property
    def growth(self) -> float:
        """Of resident memory, as a share of what it was after a minute."""
        return self.at_the_end_mb / self.after_a_minute_mb - 1.0

    @property
    def passed(self) -> bool:
        """Nothing failed, nothing was lost, and memory stayed within 5 %."""
        return not self.failed and not self.lost and not self.missed_segments and self.growth <= WITHIN

    def __str__(self) -> str:
        return (
            f"{self.answered:,} answers, {self.failed} failed; {self.recorded:,} outcomes on record, {self.lost} lost, "
            f"{self.missed_segments} segments retired unread; resident memory {self.after_a_minute_mb:.1f} MB after a "
            f"minute, {self.at_the_end_mb:.1f} MB at the end ({self.growth:+.1%}): "
            f"{'passed' if self.passed else 'FAILED'}"
        )


def after_warming(samples: Sequence[Sample]) -> Sample:
    """The first look after a minute; the last one where there was none.

    Raises:
        ValueError: there is no sample.
    """
    if not samples:
        raise ValueError("no samples: the load ended before the first look; let it run for longer")
    return next((sample for sample in samples if sample.at_s >= WARM_S), samples[-1])
