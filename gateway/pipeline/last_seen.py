"""What a worker last saw of a fleet's registry, kept in its data folder: enough to start while the registry is away.

1. The file holds what epochs are built from, and the posteriors that the registry had. With the recordings, which hold
   the rest, a start from it ends where one from the registry would have, and its totals go on from theirs.
2. It is written whole, off the request path, at most every `EVERY_S` unless something else than posteriors changed.
3. It is of one database: after another has been named, it is none. One that can't be read is none either.
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import orjson

from gateway.pipeline.snapshot import PolicySnapshot, Snapshot
from policies.errors import EvoGateError
from policies.registry.rows import from_row, to_row
from policies.registry.values import Candidate, Experiment, Holdback, Pointer, Totals, Version

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)

log = logging.getLogger("evogate.worker")

EVERY_S = 10.0
_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class LastSeen:
    """`at`: when it was seen, Unix seconds."""

    at: float
    snapshot: Snapshot
    posteriors: tuple[Totals, ...]


class Keeper:
    """One worker's file. `database` as the settings have it; None: a file in the data folder, which is never away."""

    def __init__(self, home: Path, writer: str, database: str | None) -> None:
        self._home = home
        self._file = home / f"last-seen.{writer}.json"
        self._of = _digest(database) if database is not None else None
        self._kept: Snapshot | None = None
        self._keep_at = 0.0

    def due(self, snapshot: Snapshot, now: float) -> bool:
        """Whether there is something to be kept."""
        return self._of is not None and (snapshot is not self._kept or now >= self._keep_at)

    async def keep(self, seen: LastSeen) -> None:
        """Write it.

        Raises:
            OSError: it can't be written.
        """
        content = orjson.dumps({"schema": _SCHEMA, "database": self._of, **_to_json(seen)})
        await asyncio.to_thread(_write, self._file, content)
        self._kept, self._keep_at = seen.snapshot, seen.at + EVERY_S

    def found(self) -> LastSeen | None:
        """What this writer, or another of this data folder, saw last."""
        if self._of is None:
            return None
        files = (_read(file, self._of) for file in self._home.glob("last-seen.*.json"))
        return max((seen for seen in files if seen is not None), key=lambda seen: seen.at, default=None)


def _digest(database: str) -> str:
    """Of the URL without its password, which may change."""
    url = urlsplit(database)
    host = f"{url.username or ''}@{url.netloc.rpartition('@')[2]}"
    return hashlib.blake2b(url._replace(netloc=host).geturl().encode(), digest_size=8).hexdigest()


def _write(file: Path, content: bytes) -> None:
    """Whoever reads it finds all of it; nobody else may, for it holds prompts."""
    partial = file.with_suffix(".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    partial.replace(file)


def _read(file: Path, database: str) -> LastSeen | None:
    try:
        stored = orjson.loads(file.read_bytes())
        return _of_json(stored) if (stored["schema"], stored["database"]) == (_SCHEMA, database) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, EvoGateError) as error:
        log.warning("%s can't be read and is left: %s", file, error)
        return None


def _to_json(seen: LastSeen) -> dict[str, Any]:
    policies = {name: _rows(rows) for name, rows in seen.snapshot.policies.items()}
    posteriors = [to_row(row) for row in seen.posteriors]
    return {"at": seen.at, "frozen": seen.snapshot.frozen, "policies": policies, "posteriors": posteriors}


def _of_json(stored: Mapping[str, Any]) -> LastSeen:
    policies = {name: _policy(rows) for name, rows in stored["policies"].items()}
    snapshot = Snapshot(policies, bool(stored["frozen"]))
    return LastSeen(float(stored["at"]), snapshot, tuple(_all(Totals, stored["posteriors"])))


def _rows(rows: PolicySnapshot) -> dict[str, Any]:
    return {
        "versions": [to_row(version) for version in rows.versions],
        "pointer": to_row(rows.pointer) if rows.pointer is not None else None,
        "candidates": [to_row(candidate) for candidate in rows.candidates],
        "experiments": [to_row(experiment) for experiment in rows.experiments],
        "holdback": to_row(rows.holdback) if rows.holdback is not None else None,
        "tombstones": sorted(rows.tombstones),
        "intents": rows.intents,
    }


def _policy(stored: Mapping[str, Any]) -> PolicySnapshot:
    return PolicySnapshot(
        versions=tuple(_version(row) for row in stored["versions"]),
        pointer=_one(Pointer, stored["pointer"]),
        candidates=tuple(_all(Candidate, stored["candidates"])),
        experiments=tuple(_all(Experiment, stored["experiments"])),
        holdback=_one(Holdback, stored["holdback"]),
        tombstones=frozenset(stored["tombstones"]),
        intents=stored["intents"],
    )


def _version(row: dict[str, Any]) -> Version:
    major, minor = row.pop("number")
    return from_row(Version, row, number=(major, minor))


def _one(kind: "type[T]", row: dict[str, Any] | None) -> "T | None":
    return from_row(kind, row) if row is not None else None


def _all(kind: "type[T]", rows: Iterable[dict[str, Any]]) -> "list[T]":
    return [from_row(kind, row) for row in rows]
