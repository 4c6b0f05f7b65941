"""The router on the path: which models may serve a request now, and what came of the one that did."""

from collections.abc import Callable
from typing import Any

from gateway.pipeline.epoch import Open, Target, Way
from gateway.pipeline.settle import Settled
from policies.fitness import Gates, quality
from policies.render import Turns
from policies.strategy.router import Routing

_BYTES_A_TOKEN = 4
_ANSWER_TOKENS = 1024  # kept free for an answer of unknown length


def routed(  # noqa: PLR0917 - on the path of every request that leaves its model open
    arm: Open, body: dict[str, Any], raw: bytes, turns: Turns, may_go: Callable[[Target], bool], now: float
) -> tuple[Way, Routing] | None:
    """The model for a request with the bytes `raw`; None where none may serve it. `now` on the loop's clock."""
    tools = bool(body.get("tools") or body.get("functions"))
    tokens = len(raw) // _BYTES_A_TOKEN
    asked = body.get("max_completion_tokens") or body.get("max_tokens") or body.get("max_output_tokens")
    most = tokens + (asked if type(asked) is int else _ANSWER_TOKENS)
    fitting = [
        at
        for at, (choice, way) in enumerate(zip(arm.router.choices, arm.ways, strict=True))
        if choice.fits(most, tools=tools) and may_go(way.target)
    ]
    if not fitting:
        return None
    well = [at for at in fitting if _available(arm.ways[at], now)]
    routing = arm.router.route(turns.text, tokens, well or fitting, arm.weights)
    return arm.ways[arm.router.position(routing.key)], routing


def learn(arm: Open, routing: Routing, target: Target, gates: Gates, done: Settled, *, request_id: str = "") -> None:
    """Tell the router what came of a request that `target` answered, if it says anything about that model.

    With a `request_id`, a later word about the answer revises it.
    """
    good = quality(failure=done.failure, validators=done.validators, score=None, gates=gates)
    key = target.model.key if target.model is not None else None
    if good is None or key is None or key not in routing.terms:
        return
    tokens = done.answer.output_tokens if done.answer is not None else 0
    arm.router.learn(key, routing.vector, good, ms=done.last_byte_ms, tokens=tokens, request_id=request_id)


def _available(way: Way, now: float) -> bool:
    """Several upstreams of one model look after each other."""
    target = way.target
    return target.places is not None or target.route is None or target.route.admission.available(now)
