"""One recorded request with all that became known of it: what analysis, proposals and evaluation work on."""

from dataclasses import dataclass, field
from typing import Any

from policies.dialects import CHAT, Dialect, dialect_of
from policies.outcome import OUTSIDE

BAD_SCORE = 0.5


@dataclass(frozen=True, slots=True)
class Example:
    """A request, its answer and its signals. Times are Unix seconds, durations milliseconds, costs US dollars."""

    id: str
    at: float
    policy: str
    unit: str
    turn: int  # from 1
    arm: str  # content hash of the genome that served it
    version: str  # production's label at that time
    intent: str
    model: str  # as the provider named it
    stream: bool
    body: dict[str, Any]  # the client's JSON
    answer: dict[str, Any] | None  # {"text", "tool_calls", "finish_reason"}
    failure: str | None = None  # a policies.outcome.FailureClass value
    detail: str = ""
    reward: float | None = None  # 0..1; None where the outcome says nothing about the genome
    score: float | None = None  # 0..1, explicit feedback
    correction: str | None = None  # what the answer should have been, in the user's words
    corrected: bool = False  # the next turn corrects this one
    retried: bool = False  # the same question came again
    tool_failed: bool = False  # a tool that the answer called reported an error
    continued: bool = False  # the user went on with another turn
    latency_ms: float = 0.0
    first_byte_ms: float = 0.0
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    repairs: int = 0
    path: str = CHAT.path  # of the endpoint
    memory: dict[str, float] = field(default_factory=dict)  # entry id -> score; below zero: it was held out
    tenant: str = ""  # whose request it is; empty: nobody said

    @property
    def dialect(self) -> Dialect:
        """Of the endpoint that it was sent to."""
        return dialect_of(self.path)

    @property
    def request_text(self) -> str:
        """What the user asked last, as plain text; empty where there is nothing."""
        return self.dialect.turns(self.body).text

    @property
    def answer_text(self) -> str:
        """The answer's text; empty where there is none."""
        text = (self.answer or {}).get("text")
        return text if isinstance(text, str) else ""

    @property
    def failed(self) -> bool:
        """A failure that counts against the genome."""
        return self.failure is not None and self.failure not in OUTSIDE

    @property
    def bad(self) -> bool:
        """Failed, rejected by its user, or its tool call failed."""
        return self.failed or self.rejected or self.tool_failed

    @property
    def rejected(self) -> bool:
        """Scored below one half, corrected or asked again."""
        return (self.score is not None and self.score < BAD_SCORE) or self.corrected or self.retried

    @property
    def accepted(self) -> bool:
        """A next turn that is neither retry nor correction, or an explicit good word; and nothing against it."""
        return not self.bad and self.failure is None and (self.continued or self.good)

    @property
    def good(self) -> bool:
        """Known to be good: explicit feedback of 1 and nothing against it."""
        return not self.bad and self.failure is None and self.score is not None and self.score >= 1.0
