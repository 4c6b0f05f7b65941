"""A worker's embeddings: asked for once a text, remembered, and done without where they do not come.

1. `ask` always answers, at once where the vector is known or nobody can be asked, else within the timeout.
2. Requests for the same text share one call. After three failures in a row nobody is asked for some seconds.
3. Whatever is done without is counted: for what, and why.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from config.settings import Settings
from gateway.embeddings.call import EmbeddingCall, Model
from gateway.pipeline.routes import Route
from policies.vectors import Matrix, Vector

log = logging.getLogger("evogate.embeddings")

Use = Literal["memory", "agreement"]
Then = Callable[[Vector | None, float], None]  # the embedding, and what was paid for it in US dollars
FAILURES = 3
REST_S = 5.0
ALL_S = 30.0  # for texts of a memory


class Embedder:
    """One worker's.

    `calls`, `tokens` and `usd` count what was asked of the model; `without` counts (use, why) of what was done without:
    `off` (no model is configured), `resting`, `busy`, `not_ready` (a memory's own embeddings), `too_large` (a memory),
    `timeout`, `transport`, `status`, `malformed`, `fault`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.calls = 0
        self.tokens = 0
        self.usd = 0.0
        self.without: dict[tuple[str, str], int] = {}
        self.model: Model | None = None
        self._loop = loop
        self._concurrency = self._remembered = 1
        self._known: OrderedDict[str, Vector] = OrderedDict()
        self._waiting: dict[str, list[tuple[Use, Then]]] = {}
        self._failures = 0
        self._rests_until = float("-inf")

    def configure(self, settings: Settings, routes: Mapping[str, Route]) -> None:
        """Take the settings over; another model knows nothing of what the last one has said."""
        rules = settings.embeddings
        model = settings.models.get(rules.model_key) if rules.model_key is not None else None
        route = routes.get(model.upstream) if model is not None else None
        before, self.model = self.model, None
        self._concurrency, self._remembered = rules.concurrency, rules.remembered
        if model is not None and route is not None:
            price = model.usd_per_mtok.input
            self.model = Model(route, model.model, rules.dimensions, rules.timeout_s, price)
        if self.identity(before) != self.identity(self.model):
            self._known.clear()

    @staticmethod
    def identity(model: Model | None) -> tuple[str, str, int | None] | None:
        """Vectors of the same identity can be compared."""
        return None if model is None else (model.route.name, model.name, model.dimensions)

    def known(self, text: str) -> Vector | None:
        """The embedding, where it was asked for of late."""
        return self._known.get(text)

    def count(self, use: Use, why: str) -> None:
        """Something is done without."""
        self.without[use, why] = self.without.get((use, why), 0) + 1

    def ask(self, text: str, use: Use, then: Then) -> None:
        """`then` hears the embedding of a text, or None where it has to do without. Who asks first pays."""
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
            then(known, 0.0)
        elif text in self._waiting:
            self._waiting[text].append((use, then))
        elif why := self._refuses():
            self.count(use, why)
            then(None, 0.0)
        else:
            self._waiting[text] = [(use, then)]
            limit_s = self.model.timeout_s if self.model is not None else 0.0
            self._send([text], limit_s, lambda found, usd: self._told(text, found, usd))

    async def all(self, texts: Sequence[str]) -> Matrix | str:
        """The embeddings of a few texts, for which no request waits; not remembered. Or in a word why not."""
        told: asyncio.Future[Matrix | str] = self._loop.create_future()
        self._send(texts, ALL_S, lambda found, _: None if told.done() else told.set_result(found))
        return await told

    def _refuses(self) -> str:
        if self.model is None:
            return "off"
        if self._loop.time() < self._rests_until:
            return "resting"
        return "busy" if len(self._waiting) >= self._concurrency else ""

    def _send(self, texts: Sequence[str], limit_s: float, then: Callable[[Matrix | str, float], None]) -> None:
        model = self.model

        def ended(found: Matrix | str, tokens: int) -> None:
            usd = tokens * model.price / 1e6 if model is not None else 0.0
            self._note(found, tokens, usd)
            then(found, usd)

        if model is None:
            then("off", 0.0)
            return
        self.calls += 1
        try:
            EmbeddingCall(model, texts, limit_s, ended)
        except Exception as error:
            log.warning("embeddings could not be asked for", exc_info=error)
            ended("fault", 0)

    def _note(self, found: Matrix | str, tokens: int, usd: float) -> None:
        self.tokens += tokens
        self.usd += usd
        self._failures = self._failures + 1 if isinstance(found, str) else 0
        if self._failures >= FAILURES:
            self._rests_until = self._loop.time() + REST_S

    def _told(self, text: str, found: Matrix | str, usd: float) -> None:
        vector = None if isinstance(found, str) else found[0]
        if vector is not None:
            self._known[text] = vector
            while len(self._known) > self._remembered:
                self._known.popitem(last=False)
        for use, then in self._waiting.pop(text, ()):
            if isinstance(found, str):
                self.count(use, found)
            try:
                then(vector, usd)
            except Exception:
                log.exception("what waited for an embedding failed")
            usd = 0.0
