"""The words of the search: scores, what they add up to, and what comes out at the end. All JSON-able."""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evolver.examples import Example
from policies.genome import Genome, Lineage


@dataclass(frozen=True, slots=True)
class Score:
    """How one genome did on one example. Quality 0..1; milliseconds; US dollars that the call cost.

    Raises:
        ValueError: a quality outside 0..1, or a latency or cost that is negative or not finite.
    """

    quality: float
    latency_ms: float = 0.0
    cost_usd: float = 0.0

    def __post_init__(self) -> None:
        if not (0.0 <= self.quality <= 1.0 and 0.0 <= self.latency_ms < math.inf and 0.0 <= self.cost_usd < math.inf):
            raise ValueError(f"not a score: {self.quality=}, {self.latency_ms=}, {self.cost_usd=}")


Evaluate = Callable[[Genome, Sequence[Example]], Awaitable[list[Score]]]


@dataclass(frozen=True, slots=True)
class Objectives:
    """What NSGA-II ranks by, estimated on the examples seen and shrunk towards the base genome."""

    quality: float  # 0..1, more is better
    latency_ms: float  # less is better
    cost_usd: float  # per call, less is better
    robustness: float  # 0..1, mean quality on the worst quarter, more is better


@dataclass(frozen=True, slots=True)
class Ranked:
    """A genome of the result. `gain_low` bounds from below, at about 95 %, its gain in quality over the base."""

    genome: Genome
    lineage: Lineage
    objectives: Objectives
    gain: float
    gain_low: float
    examples: int  # behind the gain

    def to_dict(self) -> dict[str, Any]:
        """JSON values; the genome in canonical form, with its hash."""
        return {
            "hash": self.genome.content_hash,
            "genome": self.genome.canonical(),
            "lineage": self.lineage.model_dump(mode="json"),
            "objectives": asdict(self.objectives),
            "gain": self.gain,
            "gain_low": self.gain_low,
            "examples": self.examples,
        }


@dataclass(frozen=True, slots=True)
class Generation:
    """One line of the fitness history; calls and dollars are running totals."""

    number: int
    best: str  # content hash
    best_quality: float
    mean_quality: float
    front: int  # genomes on the first front
    hypervolume: float  # 0..1, see hypervolume.of_genomes
    restarts: int  # so far
    calls: int
    usd: float
    operators: dict[str, float]  # chance of each operator to be drawn next


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Best first. The base takes part: where it leads, nothing better was found."""

    ranked: tuple[Ranked, ...]
    history: tuple[Generation, ...]
    calls: int
    usd: float
    stopped: str  # why
    faults: tuple[str, ...] = ()  # evaluations that failed, one sentence each, at most 20
    expected_quality: float | None = None  # of `winner`, or of the base where there is none; None: nothing was measured
    winner: Ranked | None = None  # the first, where it was better than the base on fresh examples; else the base stays

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "ranked": [one.to_dict() for one in self.ranked],
            "history": [asdict(generation) for generation in self.history],
            "calls": self.calls,
            "usd": self.usd,
            "stopped": self.stopped,
            "faults": list(self.faults),
            "expected_quality": self.expected_quality,
            "winner": self.winner.genome.content_hash if self.winner else None,
        }
