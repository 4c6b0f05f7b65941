"""One covered request from its arrival to its last byte, as a chain of callbacks on the loop.

1. The assignment frame is written before the upstream call goes out.
2. The outcome frame is on disk before the terminator goes out: a whole answer, `[DONE]`, an error's end. At the level
   `power_safe` it is synced, and with it the assignment, which no call has to wait for.
3. Every request that was assigned settles exactly once, hang-ups and cuts included.
4. No fault of ours costs the client its answer; each is counted, and fails the arm it was assigned to.
"""

import logging
from time import perf_counter
from typing import Any

from gateway.http.errors import UpstreamError
from gateway.http.framing import end_to_end, find
from gateway.http.messages import Headers, Reply, Request
from gateway.http.upstream import Call
from gateway.pipeline import answers
from gateway.pipeline.core import Core
from gateway.pipeline.epoch import Epoch, PolicyView
from gateway.pipeline.fallopen import Stage
from gateway.pipeline.headers import upward
from gateway.pipeline.plan import Plan, conversation_of, decide, short
from gateway.pipeline.recent import Recent
from gateway.pipeline.rendering import render
from gateway.pipeline.settle import Settled, settle
from gateway.pipeline.streaming import Stream
from policies.outcome import Answer, read_answer
from policies.render import last_user_text

log = logging.getLogger("evogate.pipeline")

_EVENT_STREAM = b"text/event-stream"


class Exchange:
    """A sink of upstream events, and the owner of one reply."""

    __slots__ = (
        "_answered_ms", "_before_s", "_began", "_call", "_chunks", "_core", "_ended", "_epoch", "_fell_open",
        "_first_ms", "_headers", "_recent", "_reply", "_route", "_status", "_stream", "at", "body", "id", "model",
        "plan", "records", "rendered", "request",
    )  # fmt: skip

    def __init__(
        self,
        core: Core,
        epoch: Epoch,
        view: PolicyView,
        *,
        request: Request,
        reply: Reply,
        body: dict[str, Any],
        model: str,
    ) -> None:
        self._began = perf_counter()
        self.at = core.now()
        self.id = core.ids.new(int(self.at * 1e9))
        self._core = core
        self._epoch = epoch
        self.request = request
        self._reply = reply
        self.body = body
        self.model = model
        self._call: Call | None = None
        self._recent: Recent | None = None
        self._chunks: list[bytes] = []
        self._stream: Stream | None = None
        self._headers: Headers = []
        self._status = 0
        self._before_s = self._first_ms = self._answered_ms = 0.0
        self._fell_open = self._ended = False
        reply.on_gone = self._gone
        self.plan = self._choose(view)
        self.records = request.get(b"x-evogate-record") != b"off" and core.recorder.keeps(self.plan.unit)
        self.rendered = render(epoch, self.plan, body, raw=request.body, model=model, on_fault=self._render_failed)
        self._route = self.rendered.target.route

    # -- before the call ---------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Record the assignment, then send."""
        text = last_user_text(self.body)
        self._recent = self._core.assigned(self, text)
        try:
            frame = self._core.recorder.assignment(
                self.id,
                self.at,
                self.plan,
                epoch=self._epoch.number,
                path=self.request.path.decode("latin-1"),
                stream=self.body.get("stream") is True,
                model=self.model,
                raw=self.request.body if self.records else None,
                rendered=self.rendered.payload,
                memory=self.rendered.memory,
            )
            self._core.recorder.append(frame, self._send, durable=False)
        except Exception as error:  # noqa: BLE001
            self.failed_open("record", error)
            self._send()

    def _choose(self, view: PolicyView) -> Plan:
        try:
            who = conversation_of(view, self.request, self.body, key=self._core.key, request_id=self.id)
            return decide(view, who, self._core.pins_of(view), self.at, exploring=self._core.recording)
        except Exception as error:  # noqa: BLE001
            self.failed_open("assignment", error)
            return Plan(view, view.production, short(self.id), 1, "fell_open")

    def failed_open(self, stage: Stage, error: Exception) -> None:
        """Count a swallowed fault, here and against the arm."""
        self._fell_open = True
        self._core.fall_open.count(stage, error)

    def _render_failed(self, error: Exception) -> None:
        self.failed_open("render", error)

    def _send(self) -> None:
        if self._ended:
            return
        route = self._route
        if route is None:
            self._refuse(503, "no_upstream", "no upstream is configured; add one under `upstreams`")
            return
        request = self.request
        self._before_s = perf_counter() - self._began
        try:
            headers = upward(request.headers, route.authorization, readable=True)
            self._call = route.call(request.method, route.path(request.target), headers, self.rendered.payload, self)
        except Exception as error:
            self._route = None
            log.warning("the call to upstream %s failed here", route.name, exc_info=error)
            self._refuse(502, "upstream_call", f"the call to the upstream failed: {error}")
            return
        self._reply.on_pause = self._call.pause
        self._reply.on_resume = self._call.resume

    # -- upstream events ---------------------------------------------------------------------------------------

    def on_head(self, status: int, headers: Headers) -> None:
        """Status and fields: decides between a stream and a whole answer."""
        self._status = status
        self._first_ms = (perf_counter() - self._began) * 1000.0
        self._headers = end_to_end(headers)
        if (find(headers, b"content-type") or b"").startswith(_EVENT_STREAM):
            self._stream = Stream(hide_usage=self.rendered.hides_usage)
            self._reply.start(status, self._labelled(), None)

    def on_data(self, data: bytes) -> None:
        """A piece of the body: a stream's goes on at once, all but its terminator."""
        stream = self._stream
        if stream is None:
            self._chunks.append(data)
            return
        if self._ended:
            return
        self._reply.write(stream.feed(data))
        if stream.over:
            self._end_stream(stream)

    def on_end(self) -> None:
        """The body is complete, as far as HTTP can tell."""
        self._release()
        if self._stream is not None:
            self._end_stream(self._stream)
        else:
            self._end_whole()

    def on_error(self, error: UpstreamError) -> None:
        """No answer, or not all of it: the client is told, in the shape that it expects."""
        self._release()
        if self._ended:
            return
        if self._stream is not None:
            self._cut(self._stream, str(error), error.kind, b"")
            return
        status, body = answers.upstream_error(error)
        headers = answers.made_here(error.kind, self.id)
        self._core.metrics.error(error.kind)
        self._settle(status, None, error.kind, lambda: self._reply.send(status, headers + self._labels(), body))

    # -- ends --------------------------------------------------------------------------------------------------

    def _end_whole(self) -> None:
        body = b"".join(self._chunks)
        status = self._status
        answer = None
        if 200 <= status < 300:
            try:
                answer = read_answer(body)
            except Exception as error:  # noqa: BLE001
                self.failed_open("outcome", error)
        self._settle(status, answer, None, lambda: self._reply.send(status, self._labelled(), body))

    def _end_stream(self, stream: Stream) -> None:
        if self._ended:
            return
        last = stream.finish()
        if stream.whole:
            self._settle(self._status, stream.answer, None, lambda: self._reply.end(last + stream.terminator))
        elif stream.reported:
            self._settle(self._status, stream.answer, None, lambda: self._reply.end(last))
            self._cancel()
        else:
            self._cut(stream, "the upstream ended the stream before its end", "truncated", last)

    def _cut(self, stream: Stream, message: str, reason: str, last: bytes) -> None:
        self._core.metrics.error(reason)
        last += answers.error_event(message, reason)
        self._settle(self._status, stream.answer, reason, lambda: self._reply.end(last))

    def _refuse(self, status: int, reason: str, message: str) -> None:
        self._core.metrics.error(reason)
        headers = answers.made_here(reason, self.id)
        body = answers.refusal(message, reason)
        self._settle(status, None, reason, lambda: self._reply.send(status, headers + self._labels(), body))

    def _gone(self) -> None:
        """The client hung up: stop paying for an answer that nobody reads."""
        answer = self._stream.answer if self._stream is not None else None
        if not self._ended:
            self._settle(0 if self._stream is None else self._status, answer, None, None, gone=True)
        self._cancel()

    def _cancel(self) -> None:
        if self._call is not None and self._route is not None:
            self._call.cancel()
            self._release()

    def _release(self) -> None:
        route, self._route = self._route, None
        if route is not None and self._call is not None:
            route.done()

    def _settle(
        self, status: int, answer: Answer | None, transport: str | None, then: Any, *, gone: bool = False
    ) -> None:
        """Judge, learn, record, and let the last bytes go once the record is on disk."""
        if self._ended:
            return
        self._ended = True
        reply = self._reply
        reply.on_gone = reply.on_pause = reply.on_resume = None  # no cycle of the two is left for the collector
        now = self._core.now()
        total_ms = (perf_counter() - self._began) * 1000.0
        self._answered_ms = total_ms
        done = self._judge(status, answer, transport, total_ms, gone=gone)
        if self._recent is not None:
            self._core.settled(self, self._recent, done, now)
        try:
            frame = self._core.recorder.outcome(self.id, now, done, bodies=self.records)
            self._core.recorder.append(frame, then)
        except Exception as error:  # noqa: BLE001
            self._core.fall_open.count("record", error)
            if then is not None:
                then()
        self._core.after(self, done)

    def _judge(
        self, status: int, answer: Answer | None, transport: str | None, total_ms: float, *, gone: bool
    ) -> Settled:
        try:
            return settle(
                self.plan.view,
                self.rendered.target,
                self.body,
                status=status,
                provider_status=self._status,
                answer=answer,
                transport_error=transport,
                first_byte_ms=self._first_ms,
                last_byte_ms=total_ms,
                client_gone=gone,
                fell_open=self._fell_open,
            )
        except Exception as error:  # noqa: BLE001
            self._core.fall_open.count("outcome", error)
            return Settled.fell_open(status, self._first_ms, total_ms)

    # -- header fields -----------------------------------------------------------------------------------------

    def _labels(self) -> Headers:
        arm = self.plan.arm
        overhead = self._before_s
        if self._stream is None:
            overhead += perf_counter() - self._began - self._answered_ms / 1000.0
        self._core.metrics.overhead.observe(overhead)
        return [
            (b"x-evogate-version", arm.version_bytes),
            (b"x-evogate-genome", arm.hash_bytes),
            (b"x-evogate-overhead-ms", b"%.3f" % (overhead * 1000.0)),
        ]

    def _labelled(self) -> Headers:
        return [*self._headers, (b"x-evogate-request-id", self.id.encode()), *self._labels()]
