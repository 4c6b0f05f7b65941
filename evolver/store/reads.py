"""The questions asked of the database, each bounded by a limit. Bodies come from the spool, by reference."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from evolver.analysis.shadowed import Shadowed
from evolver.examples import Example
from evolver.store.queries import queries
from gateway.recording import Position, frame_at
from gateway.recording.conversations import IDLE_S
from policies.dialects import CHAT


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit's first request, as it stood at its deadline."""

    id: str
    at: float
    arm: str
    intent: str
    arms: tuple[tuple[str, float], ...]  # (content hash, propensity) of every eligible arm
    missing: bool  # no outcome by the deadline
    failure: str | None
    validators: dict[str, float]
    latency_ms: float
    cost_usd: float
    output_tokens: int
    repairs: int
    reward: float | None
    score: float | None
    terms: dict[str, list[float]] | None = None  # the router's, by model, where it weighed them


@dataclass(frozen=True, slots=True)
class Pair:
    """A candidate's shadow answer beside production's, by measured values."""

    number: int  # the order of arrival
    id: str
    at: float
    writer: str  # that recorded the candidate's answer
    missing: bool  # production's outcome is not here (yet)
    failures: tuple[str | None, str | None]  # production's, candidate's; the others likewise
    rewards: tuple[float | None, float | None]
    latencies_ms: tuple[float, float]
    costs_usd: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Texts:
    """The same pair as words, for the judge."""

    number: int
    id: str
    body: dict[str, Any]
    production: dict[str, Any]
    candidate: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one writer's spool is read."""

    writer: str
    segment: int
    offset: int
    records: int
    unknown: int


def examples(
    db: sqlite3.Connection, spool: Path, *, policy: str, arm: str | None, since: float, limit: int
) -> list[Example]:
    """The newest requests with an outcome and a recorded body, newest first; those of one arm where one is named."""
    parameters = {"policy": policy, "arm": arm, "since": since, "limit": limit, "idle": IDLE_S}
    found = (_example(row, spool) for row in db.execute(queries("reads")["examples"], parameters))
    return [example for example in found if example is not None]


def _example(row: sqlite3.Row, spool: Path) -> Example | None:
    assignment = _recorded(spool, row["writer"], row["segment"], row["offset"])
    outcome = _recorded(spool, row["o_writer"], row["o_segment"], row["o_offset"])
    if assignment is None or outcome is None or not isinstance(assignment.get("body"), dict):
        return None
    answer = outcome.get("answer")
    taken = ("id", "at", "policy", "unit", "turn", "arm", "version", "intent", "model", "failure", "detail", "reward")
    also = ("score", "correction", "first_byte_ms", "cost_usd", "input_tokens", "output_tokens", "repairs")
    return Example(
        **{name: row[name] for name in (*taken, *also)},
        stream=bool(row["stream"]),
        corrected=bool(row["corrected"]),
        retried=bool(row["retried"]),
        tool_failed=bool(row["tool_failed"]),
        continued=bool(row["continued"]),
        latency_ms=row["last_byte_ms"],
        body=assignment["body"],
        path=assignment.get("path") or CHAT.path,
        answer=answer if isinstance(answer, dict) else None,
        memory={str(name): float(score) for name, score in assignment.get("memory") or ()},
        tenant=str(assignment.get("tenant") or ""),
    )


def _recorded(spool: Path, writer: str, segment: int, offset: int) -> dict[str, Any] | None:
    return frame_at(spool / writer, Position(segment, offset))


def units(
    db: sqlite3.Connection, *, policy: str, deadline_s: float, until: float, after: tuple[float, str], limit: int
) -> list[Unit]:
    """Units that entered a comparison, in the order of assignment, behind `after` (time, id), as at their deadlines.

    A unit counts for every comparison both of whose arms it could have been given: the caller looks at `arms`.
    """
    parameters = {"policy": policy, "deadline": deadline_s, "until": until, "limit": limit}
    parameters |= {"after_at": after[0], "after_id": after[1]}
    return [_unit(row) for row in db.execute(queries("reads")["units"], parameters)]


def _unit(row: sqlite3.Row) -> Unit:
    return Unit(
        id=row["id"],
        at=row["at"],
        arm=row["arm"],
        intent=row["intent"],
        arms=tuple((arm, share) for arm, share in orjson.loads(row["arms"] or "[]")),
        missing=bool(row["missing"]),
        failure=row["failure"],
        validators=orjson.loads(row["validators"] or "{}"),
        latency_ms=row["last_byte_ms"] or 0.0,
        cost_usd=row["cost_usd"] or 0.0,
        output_tokens=row["output_tokens"] or 0,
        repairs=row["repairs"] or 0,
        reward=row["reward"],
        score=row["score"],
        terms=orjson.loads(row["routing"]) if row["routing"] is not None else None,
    )


def pairs(db: sqlite3.Connection, *, candidate: str, after: int, limit: int) -> list[Pair]:
    """Shadow answers in the order of arrival, from behind row `after`."""
    parameters = {"candidate": candidate, "after": after, "limit": limit}
    return [
        Pair(
            number=row["number"],
            id=row["id"],
            at=row["at"],
            writer=row["writer"],
            missing=bool(row["missing"]),
            failures=(row["failure"], row["s_failure"]),
            rewards=(row["reward"], row["s_reward"]),
            latencies_ms=(row["last_byte_ms"] or 0.0, row["s_ms"]),
            costs_usd=(row["cost_usd"] or 0.0, row["s_usd"]),
        )
        for row in db.execute(queries("reads")["pairs"], parameters)
    ]


def shadowed(db: sqlite3.Connection, *, policy: str, arm: str, candidates: Sequence[str], limit: int) -> list[Shadowed]:
    """The newest pairs of those candidates with answers of that arm."""
    parameters = {"policy": policy, "arm": arm, "candidates": orjson.dumps(list(candidates)).decode(), "limit": limit}
    return [
        Shadowed(
            id=row["id"],
            unit=row["unit"],
            intent=row["intent"],
            candidate=row["candidate"],
            models=(row["model"], row["s_model"]),
            failures=(row["failure"], row["s_failure"]),
            costs_usd=(row["cost_usd"], row["s_usd"]),
        )
        for row in db.execute(queries("reads")["shadowed"], parameters)
    ]


def texts(db: sqlite3.Connection, spool: Path, *, candidate: str, after: int, limit: int) -> list[Texts]:
    """Pairs in which both answered, as words."""
    found = []
    for row in db.execute(queries("reads")["texts"], {"candidate": candidate, "after": after, "limit": limit}):
        request = _recorded(spool, row["writer"], row["segment"], row["offset"]) or {}
        outcome = _recorded(spool, row["o_writer"], row["o_segment"], row["o_offset"]) or {}
        shadow = _recorded(spool, row["s_writer"], row["s_segment"], row["s_offset"]) or {}
        body, answer, other = request.get("body"), outcome.get("answer"), shadow.get("data", {}).get("answer")
        if isinstance(body, dict) and isinstance(answer, dict) and isinstance(other, dict):
            found.append(Texts(row["number"], row["id"], body, answer, other))
    return found


def learnings(db: sqlite3.Connection, *, policy: str, since: float) -> int:
    """Distinct units learnt from since that time."""
    return int(db.execute(queries("reads")["learnings"], (policy, since)).fetchone()[0])


def performance(db: sqlite3.Connection, *, policy: str, since: float, limit: int) -> tuple[float | None, int]:
    """Mean reward (0..1) of production's newest outcomes, and how many they are."""
    parameters = {"policy": policy, "since": since, "limit": limit}
    mean, count = db.execute(queries("reads")["performance"], parameters).fetchone()
    return mean, int(count)


def progress(db: sqlite3.Connection) -> list[Progress]:
    """Every writer's offset."""
    return [Progress(*row) for row in db.execute(queries("reads")["progress"])]
