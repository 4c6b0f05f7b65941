"""One request to the embedding model: a sink that tells its outcome once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from gateway.http.errors import UpstreamError
from gateway.http.messages import Headers
from gateway.pipeline.routes import Route
from policies import vectors
from policies.resilience import TimeoutRules
from policies.vectors import Matrix

_HEADERS: Headers = [
    (b"content-type", b"application/json"),
    (b"accept", b"application/json"),
    (b"accept-encoding", b"identity"),
]


@dataclass(frozen=True, slots=True)
class Model:
    """Whom to ask, how, and at what price in US dollars per million tokens."""

    route: Route
    name: str  # as the provider calls it
    dimensions: int | None
    timeout_s: float
    price: float


class EmbeddingCall:
    """Asks for the embeddings of some texts; `then` hears once, within `limit_s`: the rows and their tokens, or in a
    word why not.

    It passes no admission: it takes no client's place, and says nothing about the upstream's health.
    """

    __slots__ = ("_chunks", "_count", "_model", "_status", "_then")

    def __init__(
        self, model: Model, texts: Sequence[str], limit_s: float, then: Callable[[Matrix | str, int], None]
    ) -> None:
        self._model = model
        self._count = len(texts)
        self._then = then
        self._status = 0
        self._chunks: list[bytes] = []
        route = model.route
        version = [route.address.version] if route.address.version is not None else []
        credential = [route.credential] if route.credential is not None else []
        route.call(
            b"POST",
            route.path(vectors.PATH.encode(), model.name),
            [*_HEADERS, *version, *credential],
            vectors.asked(model.name, texts, model.dimensions),
            self,
            TimeoutRules(connect_s=limit_s, first_byte_s=limit_s, total_s=limit_s),
        )

    def on_head(self, status: int, headers: Headers) -> None:  # noqa: ARG002
        """The answer begins."""
        self._status = status

    def on_data(self, data: bytes) -> None:
        """A piece of it."""
        self._chunks.append(data)

    def on_end(self) -> None:
        """It is whole."""
        self._model.route.done()
        found: Matrix | str
        if self._status != 200:
            found, tokens = "status", 0
        else:
            try:
                found, tokens = vectors.read(orjson.loads(b"".join(self._chunks)), self._count)
            except ValueError:
                found, tokens = "malformed", 0
        self._then(found, tokens)

    def on_error(self, error: UpstreamError) -> None:
        """There is none."""
        self._model.route.done()
        self._then("timeout" if error.kind.startswith("timeout") else "transport", 0)
