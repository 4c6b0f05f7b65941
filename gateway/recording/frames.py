"""The three frames of a recording, as values, and their JSON payloads.

A payload is one JSON object with `t` (the frame's type) and `v` (the version of that type's schema). Readers
accept every version up to their own and ignore unknown keys, so that old segments stay readable.
Times are Unix seconds (UTC), durations milliseconds, costs US dollars.
"""

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, TypeVar

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Assignment:
    """Written before the upstream call: which arm, at which odds, for which request."""

    TYPE: ClassVar[str] = "assignment"

    id: str  # UUIDv7
    at: float
    writer: str
    policy: str
    epoch: int
    unit: str  # keyed hash of the conversation
    turn: int  # user turns in the request, from 1
    arms: list[tuple[str, float]]  # (content hash, propensity) of every eligible arm
    arm: str  # content hash of the chosen genome
    role: Literal["production", "challenger", "holdback"]
    version: str  # label of production at that time; a challenger's candidate id goes into `candidate`
    candidate: str | None
    experiment: str | None  # set where this unit counts in an experiment
    first: bool  # the unit's first assignment in that experiment: the one that enters evidence
    why: Literal["draw", "pin", "middle", "only", "frozen", "fell_open"]
    path: str
    stream: bool
    model: str  # as the client asked
    intent: str
    body: Any = None  # the client's JSON; None where recording is off
    rendered: str = ""  # 64-bit BLAKE2b of the bytes sent up, hexadecimal
    memory: list[tuple[str, float]] = field(default_factory=list)  # (entry id, score) injected
    routing: dict[str, Any] | None = None  # {"key", "terms": {key: terms and score}}, see policies.strategy.router
    salt: str = ""  # name of the key that a draw was made with, see policies.salt; empty where nothing was drawn


@dataclass(frozen=True, slots=True)
class Outcome:
    """Written before the last byte of the answer goes out."""

    TYPE: ClassVar[str] = "outcome"

    id: str
    at: float
    status: int  # HTTP status sent to the client; 0 where none was
    answer: Any = None  # {"text", "tool_calls", "finish_reason"} of the first choice; None where not recorded
    model: str = ""  # as the provider named it
    first_byte_ms: float = 0.0
    last_byte_ms: float = 0.0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    failure: str | None = None  # a policies.outcome.FailureClass value
    detail: str = ""
    validators: dict[str, float] = field(default_factory=dict)  # name -> score 0..1 of those that ran
    repairs: int = 0
    attempts: int = 1
    reward: float | None = None  # None for classes outside the union (hang-ups, 401, 403, 429)
    # An answer that took several calls: {"kind", its scores, "calls": [{"role", "model", "cost_usd", "ms", ...}]}
    strategy: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """Whatever is learnt later about a request."""

    TYPE: ClassVar[str] = "signal"

    id: str  # the request that it is about
    at: float
    kind: Literal["feedback", "retry", "correction", "tool_ok", "tool_error", "shadow", "verdict"]
    policy: str
    unit: str
    data: dict[str, Any] = field(default_factory=dict)
    # feedback: {"score", "label", "correction", "tags", "key"}; "key" identifies it: the same twice counts once
    # shadow: {"candidate", "arm", and every field of Outcome but id and at}


Frame = Assignment | Outcome | Signal
F = TypeVar("F", Assignment, Outcome, Signal)
TYPES: dict[str, type[Assignment] | type[Outcome] | type[Signal]] = {
    kind.TYPE: kind for kind in (Assignment, Outcome, Signal)
}
_FIELDS = {kind: tuple(f.name for f in fields(kind)) for kind in TYPES.values()}


def to_payload(frame: Frame) -> dict[str, Any]:
    """The JSON object of a frame (the slow, readable way; the data plane's recorder writes the same by hand)."""
    kind = type(frame)
    return {"t": kind.TYPE, "v": SCHEMA_VERSION, **{name: getattr(frame, name) for name in _FIELDS[kind]}}


def from_payload(payload: dict[str, Any]) -> Frame:
    """The frame of a JSON object.

    Raises:
        ValueError: an unknown type, or a schema newer than this code.
    """
    kind = TYPES.get(payload.get("t", ""))
    if kind is None or payload.get("v", 0) > SCHEMA_VERSION:
        raise ValueError(f"frame of type {payload.get('t')!r} version {payload.get('v')!r} is not known here")
    return kind(**{name: payload[name] for name in _FIELDS[kind] if name in payload})
