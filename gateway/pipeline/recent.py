"""Requests of late: what feedback refers to, and what a next turn is compared with. Bounded, oldest out first."""

from collections import deque
from typing import Final

from gateway.pipeline.epoch import Entrance
from gateway.pipeline.settle import Essence

CAPACITY: Final = 65_536


class Recent:
    """One request, as long as it can still be spoken about."""

    __slots__ = (
        "arm", "at", "entrances", "essence", "feedback_key", "fresh", "id", "intent", "policy", "reward", "said",
        "turn", "unit",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917 - keywords would cost more than the rest of the call
        self, request_id: str, at: float, policy: str, unit: str, turn: int, arm: str,
        entrances: tuple[Entrance, ...], fresh: bool, said: int,
    ) -> None:  # fmt: skip
        self.id = request_id
        self.at = at
        self.policy = policy
        self.unit = unit
        self.turn = turn
        self.arm = arm
        self.entrances = entrances  # of the unit's first request: the experiments that feedback enters
        self.fresh = fresh  # the unit's first request: the one that moves posteriors
        self.said = said  # hash of the last user message
        self.reward: float | None = None
        self.essence: Essence | None = None
        self.feedback_key = ""
        self.intent = ""  # of the request, where its policy tells intents apart


class RecentRequests:
    """By id, and the latest one of each unit."""

    __slots__ = ("_by_id", "_capacity", "_latest", "_order")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._by_id: dict[str, Recent] = {}
        self._latest: dict[tuple[str, str], Recent] = {}
        # A dict's own order is no queue: to find its first key it passes over every one that was deleted before.
        self._order: deque[Recent] = deque()
        self._capacity = capacity

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, entry: Recent) -> Recent | None:
        """Remember a request; returns the one before it in the same unit."""
        if len(self._order) >= self._capacity:
            self._drop_oldest()
        self._by_id[entry.id] = entry
        self._order.append(entry)
        key = (entry.policy, entry.unit)
        before = self._latest.get(key)
        self._latest[key] = entry
        return before

    def get(self, request_id: str) -> Recent | None:
        """By request id."""
        return self._by_id.get(request_id)

    def latest(self, policy: str, unit: str) -> Recent | None:
        """The unit's latest request."""
        return self._latest.get((policy, unit))

    def _drop_oldest(self) -> None:
        oldest = self._order.popleft()
        self._by_id.pop(oldest.id, None)
        key = (oldest.policy, oldest.unit)
        if self._latest.get(key) is oldest:
            del self._latest[key]
