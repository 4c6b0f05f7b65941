"""One mirrored call of a candidate that makes one: a sink, and nothing besides."""

from time import perf_counter
from typing import TYPE_CHECKING

from gateway.http.errors import UpstreamError
from gateway.http.messages import Headers
from gateway.pipeline.headers import upward
from gateway.pipeline.settle import Settled, settle

if TYPE_CHECKING:
    from gateway.pipeline.mirror import Lot


class Shot:
    """Of a candidate without a strategy of several calls."""

    __slots__ = ("_began", "_chunks", "_first_ms", "_lot", "_sent", "_status")

    def __init__(self, lot: "Lot") -> None:
        self._lot = lot
        self._began = perf_counter()
        self._chunks: list[bytes] = []
        self._status = 0
        self._first_ms = 0.0
        self._sent = False

    def send(self) -> None:
        """Render and send; a fault here fails the candidate, for its own render is at fault."""
        lot, sample = self._lot, self._lot.sample
        route, request, model = lot.way.target.route, sample.request, lot.way.target.model
        if route is None:
            self._end("no_upstream")
            return
        try:
            memory = lot.arm.memory.recall(sample.turns.text, lot.tenant) if lot.arm.memory is not None else []
            payload = lot.way.renderer.render(lot.body, [entry for entry, _ in memory], turns=sample.turns)
            headers = upward(request.headers, route.credential, route.address.version, readable=True)
            path = route.path(request.target, model.model if model is not None else sample.model)
            route.call(request.method, path, headers, payload, self)
        except Exception as error:  # noqa: BLE001
            lot.mirror.fall_open.count("mirror", error)
            self._end(None, fell_open=True)
            return
        self._sent = True
        lot.mirror.metrics.mirrored += 1

    def on_head(self, status: int, headers: Headers) -> None:  # noqa: ARG002
        """The answer begins."""
        self._status = status
        self._first_ms = self._elapsed_ms()

    def on_data(self, data: bytes) -> None:
        """A piece of it."""
        self._chunks.append(data)

    def on_end(self) -> None:
        """It is whole."""
        self._end(None)

    def on_error(self, error: UpstreamError) -> None:
        """It failed, after it was sent: a failure of the candidate."""
        self._end(error.kind)

    def _elapsed_ms(self) -> float:
        return (perf_counter() - self._began) * 1000.0

    def _end(self, transport: str | None, *, fell_open: bool = False) -> None:
        lot = self._lot
        route = lot.way.target.route
        if self._sent and route is not None:
            route.done()
        lot.over(self._judge(transport, fell_open=fell_open), lot.way.target)

    def _judge(self, transport: str | None, *, fell_open: bool) -> Settled:
        elapsed, lot = self._elapsed_ms(), self._lot
        view = lot.sample.view
        try:
            ok = 200 <= self._status < 300 and transport is None
            return settle(
                view,
                lot.way.target,
                lot.body,
                status=self._status,
                provider_status=self._status,
                answer=view.dialect.read_answer(b"".join(self._chunks)) if ok else None,
                transport_error=transport,
                first_byte_ms=self._first_ms,
                last_byte_ms=elapsed,
                fell_open=fell_open,
                embedding_usd=lot.embedding_usd,
            )
        except Exception as error:  # noqa: BLE001
            lot.mirror.fall_open.count("mirror", error)
            return Settled.fell_open(self._status, self._first_ms, elapsed)
