"""New conversations in the order of assignment: how each was drawn, and how its first answer went."""

import sqlite3
from dataclasses import dataclass
from typing import Any

import orjson

from evolver.store.queries import queries
from policies.outcome import OUTSIDE

Place = tuple[float, str]  # (time, id) of the last assignment read


@dataclass(frozen=True, slots=True)
class Draw:
    """A unit's first draw, and the odds on record for it."""

    place: Place
    arm: str
    odds: dict[str, float]  # content hash -> propensity of every eligible arm


@dataclass(frozen=True, slots=True)
class Answer:
    """A new conversation's first answer, as it stands now; `failed` is None while there is none."""

    place: Place
    failed: bool | None


@dataclass(frozen=True, slots=True)
class Tally:
    """Units of a comparison: of all its arms, and of one of them with its failures (silence is one)."""

    all_units: int
    units: int
    failures: int


def draws(db: sqlite3.Connection, *, policy: str, until: float, after: Place, limit: int) -> list[Draw]:
    """Draws behind `after`; a unit that was drawn before is left out, for its second draw is no news."""
    parameters = {"policy": policy, "until": until, "after_at": after[0], "after_id": after[1], "limit": limit}
    rows = db.execute(queries("arrivals")["draws"], parameters)
    return [Draw((row["at"], row["id"]), row["arm"], dict(orjson.loads(row["arms"]))) for row in rows]


def answers(
    db: sqlite3.Connection,
    *,
    policy: str,
    arm: str,
    since: float,
    until: float,
    deadline_s: float,
    after: Place,
    limit: int,
) -> list[Answer]:
    """First answers, behind `after`, of units that are new since `since` and on that arm."""
    parameters = {"policy": policy, "arm": arm, "since": since, "until": until, "deadline": deadline_s, "limit": limit}
    rows = db.execute(queries("arrivals")["answers"], parameters | {"after_at": after[0], "after_id": after[1]})
    return [Answer((row["at"], row["id"]), _failed(row)) for row in rows]


def _failed(row: sqlite3.Row) -> bool | None:
    return None if row["missing"] else row["failure"] is not None and row["failure"] not in OUTSIDE


def tally(db: sqlite3.Connection, *, policy: str, arm: str, since: float, until: float, deadline_s: float) -> Tally:
    """Units of the policy's comparisons that were assigned in that time, each as at its deadline."""
    parameters = {"policy": policy, "arm": arm, "since": since, "until": until, "deadline": deadline_s}
    outside = orjson.dumps(sorted(OUTSIDE)).decode()
    return Tally(*db.execute(queries("arrivals")["tally"], parameters | {"outside": outside}).fetchone())


def exposure(db: sqlite3.Connection, *, policy: str, arm: str) -> dict[str, Any]:
    """Everything that an arm answered: requests, units, failures, US dollars, and the first and last time."""
    outside = orjson.dumps(sorted(OUTSIDE)).decode()
    row = db.execute(queries("arrivals")["exposure"], {"policy": policy, "arm": arm, "outside": outside}).fetchone()
    return dict(row)


def kept(db: sqlite3.Connection, *, name: str) -> dict[str, Any]:
    """What was last kept under that name; empty where nothing was."""
    row = db.execute(queries("arrivals")["kept"], (name,)).fetchone()
    return dict(orjson.loads(row[0])) if row else {}


def keep(db: sqlite3.Connection, *, name: str, value: dict[str, Any]) -> None:
    """Replace it whole."""
    db.execute(queries("arrivals")["keep"], (name, orjson.dumps(value).decode()))
