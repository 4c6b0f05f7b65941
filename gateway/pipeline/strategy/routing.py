"""The router on the path: which models may serve a request now, and what came of the one that did."""

from collections.abc import Callable
from typing import Any

from gateway.pipeline.epoch import Open, Target, Way
from gateway.pipeline.settle import Settled
from policies.fitness import Gates, quality
from policies.intents import Classifier
from policies.render import Turns
from policies.strategy.router import BYTES_A_TOKEN, Preferred, Router, Routing

_ANSWER_TOKENS = 1024  # kept free for an answer of unknown length


def routed(  # noqa: PLR0917 - on the path of every request that leaves its model open
    arm: Open,
    intents: Classifier | None,
    body: dict[str, Any],
    raw: bytes,
    turns: Turns,
    may_go: Callable[[Target], bool],
    now: float,
) -> tuple[Way, Routing | Preferred] | None:
    """The model for a request with the bytes `raw`: the preferred one, or the router's choice.

    None where it is not for them to say, or where none may serve it. `now` on the loop's clock.
    """
    if arm.preferred and intents is not None:
        intent = intents.classify(turns.text)
        way = arm.preferred.get(intent)
        if way is not None and way.target.model is not None and may_go(way.target):
            return way, Preferred(way.target.model.key, intent)
    return _weighed(arm, arm.router, body, raw, turns, may_go, now) if arm.router is not None else None


def _weighed(  # noqa: PLR0917
    arm: Open,
    router: Router,
    body: dict[str, Any],
    raw: bytes,
    turns: Turns,
    may_go: Callable[[Target], bool],
    now: float,
) -> tuple[Way, Routing] | None:
    tools = bool(body.get("tools") or body.get("functions"))
    tokens = len(raw) // BYTES_A_TOKEN
    asked = body.get("max_completion_tokens") or body.get("max_tokens") or body.get("max_output_tokens")
    most = tokens + (asked if type(asked) is int else _ANSWER_TOKENS)
    fitting = [
        at
        for at, (choice, way) in enumerate(zip(router.choices, arm.ways, strict=True))
        if choice.fits(most, tools=tools) and may_go(way.target)
    ]
    if not fitting:
        return None
    well = [at for at in fitting if _available(arm.ways[at], now)]
    routing = router.route(turns.text, tokens, well or fitting, arm.weights)
    return arm.ways[router.position(routing.key)], routing


def learn(
    arm: Open, routing: Routing | Preferred, target: Target, gates: Gates, done: Settled, *, request_id: str = ""
) -> None:
    """Tell the router what came of a request that `target` answered, if it says anything about that model.

    With a `request_id`, a later word about the answer revises it.
    """
    if arm.router is None or isinstance(routing, Preferred):
        return
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
