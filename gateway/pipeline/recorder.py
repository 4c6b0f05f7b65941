"""Frames, built by hand where speed counts, and committed in groups.

The payloads are exactly what `gateway.recording.frames.to_payload` gives; a test holds the two together. Bodies
are embedded as the client's own bytes, not parsed and written again.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from orjson import Fragment

from gateway.pipeline.settle import Settled
from gateway.recording.frames import SCHEMA_VERSION, Signal, to_payload
from gateway.recording.redact import Redactor
from gateway.recording.sampling import keeps_body
from policies.outcome import Answer

if TYPE_CHECKING:
    from gateway.pipeline.exchange import Exchange

_NOTHING: list[object] = []
_NO_ANSWER = Answer()


class Commit(Protocol):
    """Appends a frame; runs `then` once the tick's frames are written (or could not be)."""

    def append(self, payload: bytes, then: Callable[[], None] | None, *, durable: bool = True) -> None:
        """Queue one frame; with `durable`, and at the level `power_safe`, `then` waits for the disk, too."""


class Recorder:
    """Builds frames and hands them to the group commit."""

    __slots__ = ("_bodies", "_body_sample", "_redactor", "_writer", "append")

    def __init__(self, commit: Commit, writer: str, *, bodies: bool, body_sample: float, redactor: Redactor) -> None:
        self.append = commit.append
        self._writer = writer
        self.configure(bodies=bodies, body_sample=body_sample, redactor=redactor)

    def configure(self, *, bodies: bool, body_sample: float, redactor: Redactor) -> None:
        """Take over changed settings."""
        self._bodies = bodies
        self._body_sample = body_sample
        self._redactor = redactor

    def keeps(self, unit: str) -> bool:
        """Whether the bodies of a unit are recorded. Asked once per request: settings may change while it runs."""
        return self._bodies and keeps_body(unit, self._body_sample)

    def assignment(self, exchange: "Exchange") -> bytes:
        """The assignment frame. The client's JSON is in it as sent, where the exchange `records` bodies."""
        plan, rendered = exchange.plan, exchange.rendered
        arm = plan.arm
        return orjson.dumps(
            {
                "t": "assignment",
                "v": SCHEMA_VERSION,
                "id": exchange.id,
                "at": exchange.at,
                "writer": self._writer,
                "policy": plan.view.name,
                "epoch": exchange.epoch,
                "unit": plan.unit,
                "turn": plan.turn,
                "arms": plan.odds,
                "arm": arm.hash,
                "role": arm.role,
                "version": arm.version,
                "candidate": arm.candidate,
                "experiment": plan.experiment,
                "first": plan.first,
                "why": plan.why,
                "path": exchange.path,
                "stream": exchange.body.get("stream") is True,
                "model": exchange.model,
                "intent": exchange.intent,
                "body": Fragment(self._redactor(exchange.request.body)) if exchange.records else None,
                "rendered": blake2b(rendered.payload, digest_size=8).hexdigest(),
                "routing": exchange.routing.record if exchange.routing is not None else None,
                "memory": [(entry.id, score) for entry, score in rendered.memory] if rendered.memory else _NOTHING,
                "salt": plan.view.salt_name if plan.why == "draw" else "",
            }
        )

    def outcome(self, request_id: str, at: float, settled: Settled, *, bodies: bool) -> bytes:
        """The outcome frame; `bodies` False keeps the answer's text out."""
        return orjson.dumps(
            {"t": "outcome", "v": SCHEMA_VERSION, "id": request_id, "at": at, **self.fields(settled, bodies=bodies)}
        )

    def fields(self, settled: Settled, *, bodies: bool) -> dict[str, Any]:
        """Every field of an outcome but its id and time; shadow signals carry the same."""
        answer = settled.answer or _NO_ANSWER
        return {
            "status": settled.status,
            "answer": self._shown(settled.answer) if bodies else None,
            "model": answer.model,
            "first_byte_ms": settled.first_byte_ms,
            "last_byte_ms": settled.last_byte_ms,
            "input_tokens": answer.input_tokens,
            "cached_tokens": answer.cached_tokens,
            "output_tokens": answer.output_tokens,
            "cost_usd": settled.cost_usd,
            "failure": settled.failure,
            "detail": settled.detail,
            "validators": settled.validators,
            "repairs": settled.repairs,
            "attempts": settled.attempts,
            "reward": settled.reward,
            "strategy": settled.strategy,
        }

    def signal(self, signal: Signal) -> bytes:
        """A signal frame, its text redacted."""
        return self._redactor(orjson.dumps(to_payload(signal)))

    def _shown(self, answer: Answer | None) -> dict[str, Any] | Fragment | None:
        if answer is None:
            return None
        shown = {"text": answer.text, "tool_calls": answer.tool_calls, "finish_reason": answer.finish_reason}
        return Fragment(self._redactor(orjson.dumps(shown))) if self._redactor.active else shown
