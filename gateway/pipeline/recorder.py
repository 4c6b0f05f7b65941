"""Frames, built by hand where speed counts, and committed in groups.

The payloads hold exactly what `gateway.recording.frames.to_payload` gives; a test holds the two together. Bodies
are embedded as the client's own bytes, not parsed and written again.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from gateway.pipeline.settle import Settled
from gateway.recording.frames import SCHEMA_VERSION, Signal, to_payload
from gateway.recording.redact import Redactor
from gateway.recording.sampling import keeps_body
from policies.outcome import Answer

if TYPE_CHECKING:
    from gateway.pipeline.exchange import Exchange

_NO_ANSWER: Final = Answer()
_VERSION: Final = b"%d" % SCHEMA_VERSION
_NULL: Final = b"null"
_TRUE: Final = b"true"
_FALSE: Final = b"false"
_EMPTY: Final = b'""'


class Commit(Protocol):
    """Appends a frame; runs `then` once the tick's frames are written (or could not be)."""

    def append(self, payload: bytes, then: Callable[[], None] | None, *, durable: bool = True) -> None:
        """Queue one frame; with `durable`, and at the level `power_safe`, `then` waits for the disk, too."""


class Recorder:
    """Builds frames and hands them to the group commit."""

    __slots__ = ("_bodies", "_body_sample", "_redactor", "_writer", "append")

    def __init__(self, commit: Commit, writer: str, *, bodies: bool, body_sample: float, redactor: Redactor) -> None:
        self.append = commit.append
        self._writer = orjson.dumps(writer)
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
        plan, rendered, routing = exchange.plan, exchange.rendered, exchange.routing
        arm, view = plan.arm, plan.view
        # The format stands where it is used: only then does mypyc put the pieces together itself, at a third of the
        # cost.
        return (
            b'{"t":"assignment","v":%b,"id":"%b","at":%b,"writer":%b,"policy":%b,"epoch":%d,"unit":"%b","turn":%d,'
            b'"arms":%b,%b,"experiment":%b,"first":%b,"why":"%b","path":%b,"stream":%b,"model":%b,"intent":%b,"body":%b,'
            b'"rendered":"%b","memory":%b,"routing":%b,"salt":"%b"%b}'
        ) % (
            _VERSION,
            exchange.id.encode(),
            orjson.dumps(exchange.at),
            self._writer,
            view.name_json,
            exchange.epoch,
            plan.unit.encode(),
            plan.turn,
            plan.odds,
            arm.recorded,
            _text(plan.experiment),
            _TRUE if plan.first else _FALSE,
            plan.why.encode(),
            orjson.dumps(exchange.path),
            _TRUE if exchange.body.get("stream") is True else _FALSE,
            orjson.dumps(exchange.model),
            orjson.dumps(exchange.intent) if exchange.intent else _EMPTY,
            self._redactor(exchange.request.body) if exchange.records else _NULL,
            blake2b(rendered.payload, digest_size=8).hexdigest().encode(),
            orjson.dumps([(entry.id, score) for entry, score in rendered.memory]) if rendered.memory else b"[]",
            orjson.dumps(routing.record) if routing is not None else _NULL,
            view.salt_name.encode() if plan.why == "draw" else b"",
            b',"tenant":' + orjson.dumps(exchange.tenant) if exchange.tenant else b"",
        )

    def outcome(self, request_id: str, at: float, settled: Settled, *, bodies: bool) -> bytes:
        """The outcome frame; `bodies` False keeps the answer's text out."""
        fields = self._outcome(settled, bodies=bodies)
        return b'{"t":"outcome","v":%b,"id":"%b","at":%b,%b}' % (
            _VERSION,
            request_id.encode(),
            orjson.dumps(at),
            fields,
        )

    def fields(self, settled: Settled, *, bodies: bool) -> dict[str, Any]:
        """Every field of an outcome but its id and time; shadow signals carry the same."""
        fields: dict[str, Any] = orjson.loads(b"{%b}" % self._outcome(settled, bodies=bodies))
        return fields

    def _outcome(self, settled: Settled, *, bodies: bool) -> bytes:
        answer = settled.answer or _NO_ANSWER
        return (
            b'"status":%d,"answer":%b,"model":%b,"first_byte_ms":%b,"last_byte_ms":%b,"input_tokens":%d,'
            b'"cached_tokens":%d,"output_tokens":%d,"cost_usd":%b,"failure":%b,"detail":%b,"validators":%b,"repairs":%d,'
            b'"attempts":%d,"reward":%b,"strategy":%b%b'
        ) % (
            settled.status,
            self._shown(answer) if bodies and settled.answer is not None else _NULL,
            orjson.dumps(answer.model),
            orjson.dumps(settled.first_byte_ms),
            orjson.dumps(settled.last_byte_ms),
            answer.input_tokens,
            answer.cached_tokens,
            answer.output_tokens,
            orjson.dumps(settled.cost_usd),
            _text(settled.failure),
            orjson.dumps(settled.detail) if settled.detail else _EMPTY,
            orjson.dumps(settled.validators) if settled.validators else b"{}",
            settled.repairs,
            settled.attempts,
            orjson.dumps(settled.reward) if settled.reward is not None else _NULL,
            orjson.dumps(settled.strategy) if settled.strategy is not None else _NULL,
            b',"embedding_usd":' + orjson.dumps(settled.embedding_usd) if settled.embedding_usd else b"",
        )

    def signal(self, signal: Signal) -> bytes:
        """A signal frame, its text redacted."""
        return self._redactor(orjson.dumps(to_payload(signal)))

    def _shown(self, answer: Answer) -> bytes:
        shown = {"text": answer.text, "tool_calls": answer.tool_calls, "finish_reason": answer.finish_reason}
        return self._redactor(orjson.dumps(shown))


def _text(value: str | None) -> bytes:
    return orjson.dumps(value) if value is not None else _NULL
