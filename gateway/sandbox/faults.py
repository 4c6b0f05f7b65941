"""Faults on request: by the header `x-sandbox-fault: kind[:argument]`, or by a schedule.

| kind | what happens |
| --- | --- |
| a status from 400 to 599 | that status with an error envelope; 429 and 503 with `retry-after` |
| `rate_limit[:seconds]` | 429 with `retry-after` |
| `html` | a proxy's 502 page instead of JSON |
| `timeout` (or `hang`) | no answer, until the client gives up |
| `slow_first_byte[:seconds]` | that much later than usual (default 2) |
| `slow_stream[:seconds]` | a pause in the middle (default 2) |
| `reset` | the connection is reset before the first byte |
| `cut` | the connection ends in the middle of the answer |
| `wrong_length[:bytes]` | content-length promises that many bytes more than come (default 32; not streamed) |
| `malformed` | an event, or the body, that is not JSON |
| `stream_error` | an error object inside a 200 answer; a stream ends there, without `[DONE]` |
| `no_done` | a stream ends without `[DONE]` |
| `no_usage` | usage is missing |
| `empty` | an answer without text |
| `refusal` | the model refuses |
| `content_filter`, `length` | half an answer with that finish reason |
| `invalid_output` | JSON and tool arguments are cut, other text is beside the point |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gateway.sandbox.families.base import ToolCall
from gateway.sandbox.provider import Completion, Said
from gateway.sandbox.requests import RefusedError
from gateway.sandbox.usage import Usage, pieces

KINDS = frozenset(
    {
        "rate_limit", "html", "timeout", "hang", "slow_first_byte", "slow_stream", "reset", "cut", "wrong_length",
        "malformed", "stream_error", "no_done", "no_usage", "empty", "refusal", "content_filter", "length",
        "invalid_output",
    }
)  # fmt: skip
REFUSAL = "I'm sorry, but I can't help with that."
MESSAGES = {
    400: "The request is not valid (sandbox fault).",
    401: "Incorrect API key provided.",
    403: "You are not allowed to use this model.",
    404: "Not found.",
    408: "Request timed out.",
    413: "The request is too large.",
    422: "The request can't be processed.",
    429: "Rate limit reached; please try again later.",
    500: "The server had an error while processing your request.",
    502: "Bad gateway.",
    503: "The model is overloaded; please try again later.",
    504: "The model took too long to answer.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of the table above, with its argument (seconds, or bytes), if one was given."""

    kind: str
    argument: float | None = None

    @property
    def status(self) -> int | None:
        """The status of an error answer, None where the fault is another."""
        if self.kind.isdigit():
            return int(self.kind)
        return {"rate_limit": 429, "html": 502}.get(self.kind)

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """A fault from `kind[:argument]`.

        Raises:
            RefusedError: 400, there is no such kind.
        """
        kind, _, argument = text.strip().lower().partition(":")
        if kind not in KINDS and not (kind.isdigit() and 400 <= int(kind) <= 599):
            raise RefusedError(
                f"Unknown fault '{kind}'; there are: a status from 400 to 599, {', '.join(sorted(KINDS))}."
            )
        try:
            return cls("timeout" if kind == "hang" else kind, float(argument) if argument else None)
        except ValueError:
            raise RefusedError(f"The argument of fault '{kind}' must be a number, not '{argument}'.") from None


@dataclass(frozen=True, slots=True)
class Window:
    """From `from_s` to `to_s` (seconds since the schedule began) requests to matching models fail at that rate."""

    from_s: float
    to_s: float
    model: str  # shell pattern
    fault: Fault
    probability: float

    @classmethod
    def parse(cls, value: object) -> "Window":
        """A window from `[from_s, to_s, model, kind, probability]` or an object with these keys.

        Raises:
            RefusedError: 400, it is neither.
        """
        if isinstance(value, dict):
            value = [value.get(name) for name in ("from_s", "to_s", "model", "kind", "probability")]
        match value:
            case [
                int() | float() as start,
                int() | float() as end,
                str() as model,
                str() as kind,
                int() | float() as p,
            ]:
                return cls(start, end, model, Fault.parse(kind), p)
        raise RefusedError("A fault window is [from_s, to_s, model pattern, kind, probability].", param="faults")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows, counted from `began` on the event loop's clock."""

    windows: tuple[Window, ...]
    began: float

    @classmethod
    def parse(cls, values: Sequence[object], began: float) -> "Schedule":
        """A schedule from JSON values; raises RefusedError."""
        return cls(tuple(Window.parse(value) for value in values), began)

    def choose(self, model: str, now: float, drawn: float) -> Fault | None:
        """The fault of the first window that is open, matches and strikes; `drawn` is uniform on [0, 1)."""
        since = now - self.began
        for window in self.windows:
            if window.from_s <= since < window.to_s and fnmatchcase(model, window.model) and drawn < window.probability:
                return window.fault
        return None


def alter(completion: Completion, fault: Fault) -> None:
    """Change what is said, where the fault is one of content."""
    if fault.kind == "no_usage":
        completion.usage = None
    for said in completion.said:
        _alter(said, fault.kind)
    if completion.usage is not None:
        spent = sum(said.spent for said in completion.said)
        completion.usage = Usage(completion.usage.prompt, completion.usage.cached, spent, completion.usage.reasoning)


def _alter(said: Said, kind: str) -> None:
    half = len(said.tokens) // 2
    if kind == "empty":
        said.tokens, said.calls, said.finish_reason = [], (), "stop"
    elif kind == "refusal":
        said.tokens, said.calls, said.refusal, said.finish_reason = [], (), REFUSAL, "stop"
    elif kind in ("content_filter", "length"):
        said.tokens, said.calls, said.finish_reason = said.tokens[:half], _halved(said.calls), kind
    elif kind == "invalid_output":
        said.calls = _halved(said.calls)
        is_json = "".join(said.tokens).startswith("{")
        said.tokens = said.tokens[:half] if is_json or said.calls else pieces("As discussed, see the attachment.")


def _halved(calls: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
    return tuple(ToolCall(call.name, call.arguments[: len(call.arguments) // 2]) for call in calls)
