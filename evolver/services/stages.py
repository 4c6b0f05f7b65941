"""Which services there are, and where each listens as a process of its own."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """One service."""

    path: str
    port: int  # of `evogate evolver --stage`, where none is named


STAGES: Mapping[str, Stage] = {
    "cluster": Stage("/api/v1/cluster", 8011),
    "patches": Stage("/api/v1/generate-patches", 8012),
    "rank": Stage("/api/v1/rank", 8013),
    "train": Stage("/api/v1/train", 8014),
}
