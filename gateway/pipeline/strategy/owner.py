"""Whose request it is that several calls serve: a client's exchange, or one that is mirrored to a shadow."""

from typing import Protocol

from gateway.pipeline.epoch import Target, Way
from gateway.pipeline.receiver import Receiver
from policies.render import Turns
from policies.resilience import Attempts


class Owner(Receiver, Protocol):
    """What coordinators and the router need of it beside what a courier does."""

    @property
    def turns(self) -> Turns:
        """What its conversation says."""

    @property
    def way(self) -> Way:
        """How its own call is rendered."""

    def may_go(self, target: Target) -> bool:
        """Whether it may be sent there at all."""

    def attempts(self, now: float, *, falls_back: bool = True) -> Attempts:
        """Begin to count attempts; without `falls_back`, at the first place only."""

    def hold(self, comment: bytes) -> None:
        """Keep a stream alive while its answer is held back."""
