"""What a router knows of its models, in arrays: by model, or by model and request on record."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from policies.arrays import np
from policies.strategy.features import DIMENSIONS

if TYPE_CHECKING:
    from policies.strategy.router import Choice

_GUESSED_TOKENS = 300.0  # of an answer, before any was seen


class Tables:
    """Of `choices`, with room for the last `kept` requests of each; nothing is known at first."""

    def __init__(self, choices: "Sequence[Choice]", kept: int) -> None:
        count = len(choices)
        self.flat = np.zeros((count * kept, DIMENSIONS), dtype=np.float32)
        self.vectors = self.flat.reshape(count, kept, DIMENSIONS)  # the same, by model
        self.near = np.zeros(count * kept, dtype=np.float32)  # room for what is near
        self.rows = np.arange(count)[:, None]
        self.quality = np.zeros((count, kept))
        self.learnt = np.zeros(count, dtype=np.int64)
        self.ids = [[""] * kept for _ in range(count)]  # of the requests on record
        self.foreign = np.zeros((count, kept), dtype=bool)  # learnt from others
        self.moved = np.zeros(count)  # own part of the ratings
        self.ratings = np.zeros(count)
        self.ms = np.full(count, np.nan)
        self.tokens = np.full(count, _GUESSED_TOKENS)
