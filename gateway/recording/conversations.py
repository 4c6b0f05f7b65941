"""Frames joined to what they are about: requests, and conversations of requests."""

import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.recording.reader import Payload

IDLE_S = 1800.0  # a unit that was silent for so long begins a new conversation (architecture, "One request")
Key = tuple[str, str]  # policy and unit; ("", request id) where the assignment is missing


def join(request_id: str, frames: Iterable[Payload]) -> dict[str, Any]:
    """One request: `{"id", "assignment", "outcome", "signals"}`; the first two None where there is no such frame.

    A frame met twice counts once: the first assignment and outcome stand, equal signals are one.
    """
    joined: dict[str, Any] = {"id": request_id, "assignment": None, "outcome": None, "signals": []}
    for frame in frames:
        _add(joined, frame)
    return joined


def conversations(frames: Iterable[Payload], *, idle_s: float = IDLE_S) -> Iterator[dict[str, Any]]:
    """Whole conversations, `{"policy", "unit", "requests": [...]}`, each as soon as it was silent for `idle_s` seconds.

    `frames` come in the order of their time (`tail` yields them so); memory holds the conversations under way only.
    The requests of one are as `join` gives them, in order. A signal or outcome that comes after its conversation has
    been yielded makes another entry of that unit, with what is known then.
    """
    table = _Table()
    for frame in frames:
        yield from table.silent_since(_at(frame) - idle_s)
        table.add(frame)
    yield from table.silent_since(math.inf)


@dataclass
class _Conversation:
    last: float
    requests: dict[str, dict[str, Any]] = field(default_factory=dict)


class _Table:
    """Conversations under way, the longest silent first."""

    def __init__(self) -> None:
        self._open: OrderedDict[Key, _Conversation] = OrderedDict()
        self._key_of: dict[str, Key] = {}  # request id -> its conversation

    def add(self, frame: Payload) -> None:
        request_id = str(frame.get("id", ""))
        key = self._key_of.setdefault(request_id, _key(frame, request_id))
        conversation = self._open.setdefault(key, _Conversation(_at(frame)))
        conversation.last = max(conversation.last, _at(frame))
        self._open.move_to_end(key)
        request = conversation.requests.get(request_id)
        if request is None:
            request = conversation.requests[request_id] = join(request_id, ())
        _add(request, frame)

    def silent_since(self, limit: float) -> Iterator[dict[str, Any]]:
        while self._open and (entry := next(iter(self._open.items())))[1].last < limit:
            (policy, unit), conversation = entry
            del self._open[policy, unit]
            for request_id in conversation.requests:
                del self._key_of[request_id]
            yield {"policy": policy, "unit": unit if policy else "", "requests": _in_order(conversation)}


def _add(joined: dict[str, Any], frame: Payload) -> None:
    kind = frame.get("t")
    if kind == "signal":
        if frame not in joined["signals"]:
            joined["signals"].append(frame)
    elif kind in {"assignment", "outcome"} and joined[kind] is None:
        joined[kind] = frame


def _in_order(conversation: _Conversation) -> list[dict[str, Any]]:
    return sorted(conversation.requests.values(), key=lambda request: _at(request["assignment"] or {}))


def _key(frame: Payload, request_id: str) -> Key:
    policy, unit = frame.get("policy"), frame.get("unit")
    return (policy, unit) if isinstance(policy, str) and isinstance(unit, str) else ("", request_id)


def _at(frame: Payload) -> float:
    at = frame.get("at", 0.0)
    return at if isinstance(at, int | float) else 0.0
