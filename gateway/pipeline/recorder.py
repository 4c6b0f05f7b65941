"""Frames, built by hand where speed counts, and committed in groups.

The payloads are exactly what `gateway.recording.frames.to_payload` gives; a test holds the two together. Bodies
are embedded as the client's own bytes, not parsed and written again.
"""

import hashlib
from collections.abc import Callable
from typing import Any, Protocol

import orjson

from gateway.pipeline.plan import Plan
from gateway.pipeline.settle import Settled
from gateway.recording.frames import SCHEMA_VERSION, Signal, to_payload
from gateway.recording.redact import Redactor
from gateway.recording.sampling import keeps_body
from policies.memory import Entry


class Commit(Protocol):
    """Appends a frame; runs `then` once the tick's frames are written (or could not be)."""

    def append(self, payload: bytes, then: Callable[[], None] | None, *, durable: bool) -> None:
        """Queue one frame; with `durable`, and at the level `power_safe`, `then` waits for the disk, too."""


class Recorder:
    """Builds frames and hands them to the group commit."""

    __slots__ = ("_bodies", "_body_sample", "_commit", "_redactor", "_writer")

    def __init__(self, commit: Commit, writer: str, *, bodies: bool, body_sample: float, redactor: Redactor) -> None:
        self._commit = commit
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

    def append(self, payload: bytes, then: Callable[[], None] | None, *, durable: bool = True) -> None:
        """Queue a frame; `then` runs when it is written (synced, where the level and `durable` say so) or can't be."""
        self._commit.append(payload, then, durable=durable)

    def assignment(
        self,
        request_id: str,
        at: float,
        plan: Plan,
        *,
        epoch: int,
        path: str,
        stream: bool,
        model: str,
        raw: bytes | None,
        rendered: bytes,
        memory: list[tuple[Entry, float]],
    ) -> bytes:
        """The assignment frame. `raw` is the client's JSON as sent; None keeps it out of the recordings."""
        arm = plan.arm
        return orjson.dumps(
            {
                "t": "assignment",
                "v": SCHEMA_VERSION,
                "id": request_id,
                "at": at,
                "writer": self._writer,
                "policy": plan.view.name,
                "epoch": epoch,
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
                "path": path,
                "stream": stream,
                "model": model,
                "intent": "",
                "body": self._body(raw),
                "rendered": hashlib.blake2b(rendered, digest_size=8).hexdigest(),
                "memory": [(entry.id, score) for entry, score in memory],
            }
        )

    def outcome(self, request_id: str, at: float, settled: Settled, *, bodies: bool) -> bytes:
        """The outcome frame; `bodies` False keeps the answer's text out."""
        return orjson.dumps(
            {"t": "outcome", "v": SCHEMA_VERSION, "id": request_id, "at": at, **self.fields(settled, bodies=bodies)}
        )

    def fields(self, settled: Settled, *, bodies: bool) -> dict[str, Any]:
        """Every field of an outcome but its id and time; shadow signals carry the same."""
        answer = settled.answer
        reward = settled.reward
        return {
            "status": settled.status,
            "answer": self._answer(settled) if bodies else None,
            "model": answer.model if answer is not None else "",
            "first_byte_ms": settled.first_byte_ms,
            "last_byte_ms": settled.last_byte_ms,
            "input_tokens": answer.input_tokens if answer is not None else 0,
            "cached_tokens": answer.cached_tokens if answer is not None else 0,
            "output_tokens": answer.output_tokens if answer is not None else 0,
            "cost_usd": settled.cost_usd,
            "failure": settled.failure,
            "detail": settled.detail,
            "validators": settled.validators,
            "repairs": settled.repairs,
            "attempts": settled.attempts,
            "reward": reward,
        }

    def signal(self, signal: Signal) -> bytes:
        """A signal frame, its text redacted."""
        return self._redactor(orjson.dumps(to_payload(signal)))

    def _body(self, raw: bytes | None) -> orjson.Fragment | None:
        if raw is None:
            return None
        return orjson.Fragment(self._redactor(raw))

    def _answer(self, settled: Settled) -> orjson.Fragment | None:
        answer = settled.answer
        if answer is None:
            return None
        shown = {"text": answer.text, "tool_calls": answer.tool_calls, "finish_reason": answer.finish_reason}
        return orjson.Fragment(self._redactor(orjson.dumps(shown)))
