"""The router on the path: which models may serve a request now, and what came of the one that did."""

from typing import TYPE_CHECKING

from gateway.pipeline.epoch import Open, Way
from gateway.pipeline.settle import Settled
from policies.fitness import quality
from policies.strategy.router import Routing

if TYPE_CHECKING:
    from gateway.pipeline.exchange import Exchange
    from gateway.pipeline.receiver import Server

_BYTES_A_TOKEN = 4
_ANSWER_TOKENS = 1024  # kept free for an answer of unknown length


def routed(arm: Open, exchange: "Exchange", now: float) -> tuple[Way, Routing] | None:
    """The model for a request; None where none of them may serve it. `now` on the loop's clock."""
    body = exchange.body
    tools = bool(body.get("tools") or body.get("functions"))
    tokens = len(exchange.request.body) // _BYTES_A_TOKEN
    asked = body.get("max_completion_tokens") or body.get("max_tokens") or body.get("max_output_tokens")
    most = tokens + (asked if type(asked) is int else _ANSWER_TOKENS)
    fitting = [
        at
        for at, (choice, way) in enumerate(zip(arm.router.choices, arm.ways, strict=True))
        if choice.fits(most, tools=tools) and exchange.may_go(way.target)
    ]
    well = [at for at in fitting if _available(arm.ways[at], now)]
    if not fitting:
        return None
    routing = arm.router.route(exchange.turns.text, tokens, well or fitting, arm.weights)
    return arm.ways[arm.router.position(routing.key)], routing


def learn(arm: Open, routing: Routing, server: "Server", exchange: "Exchange", done: Settled) -> None:
    """Tell the router what came of the request, if it says anything about the model that answered."""
    target = server.rendered.target.model
    good = quality(failure=done.failure, validators=done.validators, score=None, gates=exchange.plan.view.gates)
    if good is None or target is None or target.key not in routing.terms:
        return
    tokens = done.answer.output_tokens if done.answer is not None else 0
    arm.router.learn(target.key, routing.vector, good, ms=done.last_byte_ms, tokens=tokens)


def _available(way: Way, now: float) -> bool:
    """Several upstreams of one model look after each other."""
    target = way.target
    return target.places is not None or target.route is None or target.route.admission.available(now)
