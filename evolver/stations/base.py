"""What a station is: it looks at one candidate and names its next move, or None where there is nothing to say."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from evolver.context import Context
from policies.lifecycle import Event
from policies.registry.values import Candidate


@dataclass(frozen=True, slots=True)
class Move:
    """An event of the lifecycle table with its reason; event None keeps the state and stores what was measured."""

    event: Event | None
    reason: str
    station: str | None = None
    measured: dict[str, Any] = field(default_factory=dict)


class Station(Protocol):
    """Replaceable: the line knows stations by this method alone."""

    async def step(self, candidate: Candidate, context: Context) -> Move | None:
        """The candidate's next move as of `context.now`."""


class UpstreamDownError(Exception):
    """The provider does not answer: whatever was to be measured waits, and nobody is blamed."""


def wait(candidate: Candidate, reason: str) -> Move | None:
    """Stay where it stands and say why, once."""
    return None if candidate.reason == reason else Move(None, reason)
