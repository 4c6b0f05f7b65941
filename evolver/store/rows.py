"""From a frame's JSON payload to the rows it becomes: statement name -> parameters."""

import hashlib
from collections.abc import Callable
from typing import Any

import orjson

from gateway.recording.frames import SCHEMA_VERSION
from policies.outcome import OUTSIDE

Payload = dict[str, Any]
Place = tuple[str, int, int]  # writer, segment, offset at which the frame can be read again
Rows = list[tuple[str, tuple[Any, ...]]]

LEARNT = frozenset({"retry", "correction"})  # signals that make their unit a learning
MARKS = LEARNT | {"tool_ok", "tool_error"}


def rows(payload: Payload, place: Place) -> Rows | None:
    """The rows of one frame; None where its type or version is not known here, or a field is missing."""
    make = _MAKERS.get(payload.get("t", ""))
    if make is None or payload.get("v", 0) > SCHEMA_VERSION:
        return None
    try:
        return make(payload, place)
    except (KeyError, TypeError, AttributeError):
        return None


def _assignment(p: Payload, place: Place) -> Rows:
    why = p.get("why", "")
    counts = why == "draw" or (p.get("experiment") is not None and p.get("first"))
    arms = orjson.dumps(p["arms"]).decode() if counts else None
    values = (
        *(p["id"], p["at"], *place, p["policy"], p["unit"], p["turn"], p["arm"], arms, p["role"], p["version"]),
        *(p.get("candidate"), p.get("experiment"), bool(p.get("first")), p.get("intent", ""), p.get("model", "")),
        *(bool(p.get("stream")), isinstance(p.get("body"), dict), why, _terms(p) if counts else None),
    )
    recalls: Rows = [("recall", (p["policy"], name, p["id"], score)) for name, score in p.get("memory") or ()]
    return [("assignment", values), *recalls]


def _terms(p: Payload) -> str | None:
    """What the router weighed, without the scores that came of it."""
    terms = (p.get("routing") or {}).get("terms")
    return orjson.dumps({key: row[:5] for key, row in terms.items()}).decode() if terms else None


def _outcome(p: Payload, place: Place) -> Rows:
    failure = p.get("failure")
    values = (
        *(p["id"], p["at"], *place, p["status"], p.get("model", ""), p.get("first_byte_ms", 0.0)),
        *(p.get("last_byte_ms", 0.0), p.get("input_tokens", 0), p.get("cached_tokens", 0), p.get("output_tokens", 0)),
        *(p.get("cost_usd", 0.0), failure, p.get("detail", ""), orjson.dumps(p.get("validators", {})).decode()),
        *(p.get("repairs", 0), p.get("reward")),
    )
    found: Rows = [("outcome", values)]
    if failure is not None and failure not in OUTSIDE:
        found.append(("learning_of_failure", (p["id"], p["at"])))
    return found


def _signal(p: Payload, place: Place) -> Rows:
    kind, data = p["kind"], p.get("data", {})
    if kind == "shadow":
        return [("shadow", _shadow(p, data, place))]
    learning: Rows = [("learning_of_signal", (p["policy"], p["unit"], p["at"]))]
    if kind == "feedback":
        key = data.get("key") or _digest([data.get("score"), data.get("correction")])
        return [("feedback", (p["id"], key, p["at"], data.get("score"), data.get("correction"))), *learning]
    if kind in MARKS:
        return [("mark", (p["id"], kind, p["at"])), *(learning if kind in LEARNT else ())]
    return []


def _shadow(p: Payload, data: Payload, place: Place) -> tuple[Any, ...]:
    outcome = (data.get("failure"), data.get("reward"), data.get("last_byte_ms", 0.0), data.get("cost_usd", 0.0))
    model = data.get("model") or ""
    return (data["candidate"], p["id"], p["at"], *place, *outcome, model)


def _digest(value: Any) -> str:
    return hashlib.blake2b(orjson.dumps(value), digest_size=8).hexdigest()


_MAKERS: dict[str, Callable[[Payload, Place], Rows]] = {
    "assignment": _assignment,
    "outcome": _outcome,
    "signal": _signal,
}
