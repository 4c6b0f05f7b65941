"""What the calls of a strategy send: the client's request for other models, questions about answers, corrections."""

from typing import TYPE_CHECKING, Any

import orjson

from gateway.pipeline.epoch import Service, Way
from gateway.pipeline.rendering import Rendered, render_for
from policies.errors import ClientError
from policies.strategy.checking import correction
from policies.strategy.tactic import Ask
from policies.strategy.verifying import verification
from policies.strategy.wording import asked

if TYPE_CHECKING:
    from gateway.pipeline.strategy.leg import Leg
    from gateway.pipeline.strategy.owner import Owner


class Requests:
    """Of one request."""

    __slots__ = ("_exchange", "_first", "_service")

    def __init__(self, exchange: "Owner", first: Rendered, service: Service) -> None:
        self._exchange = exchange
        self._first = first
        self._service = service

    def of(self, ask: Ask, about: "Leg | None") -> tuple[dict[str, Any], Rendered]:
        """A call's body before the genome is applied, and what goes up.

        Raises:
            ClientError: the genome can't be applied, or the request has no place for a correction.
        """
        exchange = self._exchange
        if ask.role == "verifier":
            return self._question(ask, about)
        if ask.role == "repair":
            return self._correction(about)
        if ask.model is None:
            return exchange.body, self._first
        return exchange.body, self._rendered(self._service.ways[ask.model], exchange.body)

    def _rendered(self, way: Way, body: dict[str, Any]) -> Rendered:
        exchange = self._exchange
        raw = exchange.request.body if body is exchange.body else orjson.dumps(body)
        return render_for(way, body, exchange.plan.view.dialect.turns(body), raw, self._first)

    def _correction(self, about: "Leg | None") -> tuple[dict[str, Any], Rendered]:
        assert about is not None
        assert about.answer is not None
        body = correction(self._exchange.plan.view.dialect.name, self._exchange.body, about.body, about.answer)
        if body is None:
            raise ClientError("the request has no place for a correction")
        key = about.ask.model
        return body, self._rendered(self._exchange.way if key is None else self._service.ways[key], body)

    def _question(self, ask: Ask, about: "Leg | None") -> tuple[dict[str, Any], Rendered]:
        assert about is not None
        assert about.answer is not None
        assert ask.model is not None
        exchange, genes = self._exchange, self._service.genes
        text = verification(exchange.turns.text, about.answer)
        body = asked(exchange.plan.view.dialect.name, text, 0.0 if genes.cascade_samples == 1 else 0.7)
        way = self._service.verifying[ask.model]
        return body, Rendered(way.target, way.renderer.render(body), [])
