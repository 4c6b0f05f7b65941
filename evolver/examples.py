"""One recorded request with all that became known of it: what analysis, proposals and evaluation work on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
    latency_ms: float = 0.0
    first_byte_ms: float = 0.0
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    repairs: int = 0

    @property
    def request_text(self) -> str:
        """The last user message as plain text; empty where there is none."""
        messages = self.body.get("messages")
        for message in reversed(messages if isinstance(messages, list) else []):
            if isinstance(message, dict) and message.get("role") == "user":
                return "\n".join(texts_of(message.get("content")))
        return ""

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
        """Failed, scored below one half, corrected or asked again."""
        return self.failed or (self.score is not None and self.score < BAD_SCORE) or self.corrected or self.retried

    @property
    def good(self) -> bool:
        """Known to be good: explicit feedback of 1 and nothing against it."""
        return not self.bad and self.failure is None and self.score is not None and self.score >= 1.0


def texts_of(content: Any) -> Iterator[str]:
    """The text parts of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part["text"]
