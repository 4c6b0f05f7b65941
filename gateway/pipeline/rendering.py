"""From a plan to the bytes that go up, falling back step by step when a step fails."""

from collections.abc import Callable
from typing import Any, Final

import orjson

from gateway.pipeline.epoch import Epoch, Target, Way
from gateway.pipeline.plan import Plan
from policies.errors import ClientError
from policies.memory import Entry
from policies.render import Turns

_NO_MEMORY: Final[list[tuple[Entry, float]]] = []


class Rendered:
    """What goes up, where, with what memory, and whether usage was asked for in the client's place."""

    __slots__ = ("hides_usage", "memory", "payload", "target")

    def __init__(
        self, target: Target, payload: bytes, memory: list[tuple[Entry, float]], hides_usage: bool = False
    ) -> None:
        self.target = target
        self.payload = payload
        self.memory = memory
        self.hides_usage = hides_usage


def render(  # noqa: PLR0917 - on the path of every request
    epoch: Epoch,
    plan: Plan,
    body: dict[str, Any],
    turns: Turns,
    raw: bytes,
    model: str,
    on_fault: Callable[[Exception], None],
    way: Way | None = None,
    tenant: str = "",
) -> Rendered:
    """The arm's bytes; else production's; else the client's with the alias replaced; else as sent.

    `way` is what the router has chosen for the plan's arm; `tenant` says whose request it is.

    `on_fault` hears of each step that failed here. A body that no genome can be applied to is the client's fault: it
    goes up as it is, for the provider to refuse.
    """
    for arm in (plan.arm, plan.view.production):
        try:
            memory = arm.memory.recall(turns.text, tenant) if arm.memory is not None else _NO_MEMORY
            chosen = way if way is not None and arm is plan.arm else arm.way(model)
            return _apply(chosen, body, turns, raw, memory)
        except ClientError:
            break
        except Exception as error:  # noqa: BLE001
            on_fault(error)
    target = epoch.targets.get(model) or epoch.fallback
    if target.model is None or model not in {plan.view.name, target.model.key}:
        return Rendered(target, raw, [])
    try:
        return Rendered(target, orjson.dumps({**body, "model": target.model.model}), [])
    except Exception as error:  # noqa: BLE001
        on_fault(error)
        return Rendered(target, raw, [])


def render_for(way: Way, body: dict[str, Any], turns: Turns, raw: bytes, first: Rendered) -> Rendered:
    """What another model gets of a request that was rendered before, with the same memory.

    Raises:
        ClientError: the genome can't be applied to it.
    """
    return _apply(way, body, turns, raw, first.memory)


def _apply(way: Way, body: dict[str, Any], turns: Turns, raw: bytes, memory: list[tuple[Entry, float]]) -> Rendered:
    renderer = way.renderer
    entries = [entry for entry, _ in memory] if memory else ()
    payload = renderer.render(body, entries, ask_usage=True, turns=turns, raw=raw)
    return Rendered(way.target, payload, memory, "stream" in body and renderer.adds_usage(body))
