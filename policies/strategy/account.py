"""What serving a request by several calls came to: every call on record, the cost of all of them."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Account:
    """One request's.

    `calls` holds, in the order in which they were asked for: `role`, `model` (a key, empty: as the client asked),
    `cost_usd`, `ms`, `valid`, `chosen`, and `failure` where there was no answer: a reason, or `cancelled`. What a
    cancelled call cost nobody tells; it is charged as if it had answered as the chosen one did.
    """

    kind: str  # consensus | cascade | repairs
    scores: dict[str, float] = field(default_factory=dict)  # agreement and confidence, 0..1
    calls: list[dict[str, Any]] = field(default_factory=list)
    repairs: int = 0
    embedding_usd: float = 0.0  # for answers that were compared by meaning

    def add(self, call: dict[str, Any], repairs: int) -> None:
        """One more call, and how often its answer was repaired on the spot; a call that repairs counts itself."""
        self.calls.append(call)
        self.repairs += repairs + (call["role"] == "repair")

    @property
    def cost_usd(self) -> float:
        """US dollars for all calls."""
        return float(sum(call["cost_usd"] for call in self.calls)) + self.embedding_usd

    @property
    def record(self) -> dict[str, Any]:
        """As the outcome frame has it."""
        record = {"kind": self.kind, **self.scores, "calls": self.calls}
        return record if not self.embedding_usd else {**record, "embedding_usd": self.embedding_usd}
