"""The registry: versions and the production pointer."""

from collections.abc import Sequence
from typing import Any

from policies.errors import ConflictError, NotFoundError
from policies.genome import Genome, Lineage
from policies.registry.connection import Connection
from policies.registry.families.audit import append_note
from policies.registry.queries import queries
from policies.registry.rows import Row, from_row, to_row
from policies.registry.trail import production_moved, version_added
from policies.registry.values import Pointer, Version

_SQL = queries("versions")


class Versions(Connection):
    """`policies.registry.port.Versions`."""

    async def add_version(
        self,
        policy: str,
        genome: Genome,
        lineage: Lineage,
        *,
        who: str,
        why: str,
        now: float,
        evidence: dict[str, Any] | None = None,
        major: bool = False,
    ) -> Version:
        """Store the next version: v1.0 first, then the minor number grows (the major with `major`)."""
        async with self.writing() as db:
            number = _next(await db.fetch(_SQL["latest"], {"policy": policy}), major=major)
            version = Version(policy, number, genome, lineage, now, who, why, evidence or {})
            await db.execute(_SQL["add"], to_row(version, major=number[0], minor=number[1]))
            await append_note(db, version_added(version))
        return version

    async def versions(self, policy: str) -> list[Version]:
        """All versions, oldest first."""
        rows = await self.fetch(_SQL["all"], {"policy": policy})
        return [from_row(Version, row, number=(row["major"], row["minor"])) for row in rows]

    async def production(self, policy: str) -> Pointer | None:
        """The pointer, or None before the first `move`."""
        rows = await self.fetch(_SQL["production"], {"policy": policy})
        return from_row(Pointer, rows[0]) if rows else None

    async def move(
        self, policy: str, version: str, *, expected_revision: int, who: str, why: str, now: float
    ) -> Pointer:
        """Point production at `version`; `expected_revision` 0 means "no pointer yet".

        Raises:
            ConflictError: the pointer has moved since it was read.
            NotFoundError: no such version.
        """
        pointer = Pointer(policy, version, expected_revision + 1, now, who, why)
        async with self.writing() as db:
            if not await db.fetch(_SQL["exists"], {"policy": policy, "version": version}):
                raise NotFoundError(f"policy '{policy}' has no version {version}; `evogate history` lists them")
            rows = await db.fetch(_SQL["production"], {"policy": policy})
            present = from_row(Pointer, rows[0]) if rows else None
            if (present.revision if present else 0) != expected_revision:
                raise ConflictError(_moved(policy, present, expected_revision))
            await db.execute(_SQL["move"], to_row(pointer))
            await append_note(db, production_moved(pointer))
        return pointer

    async def pointers(self, policy: str) -> list[Pointer]:
        """Every move of the pointer, oldest first."""
        return [from_row(Pointer, row) for row in await self.fetch(_SQL["pointers"], {"policy": policy})]


def _next(latest: Sequence[Row], *, major: bool) -> tuple[int, int]:
    if not latest:
        return 1, 0
    here = latest[0]
    return (here["major"] + 1, 0) if major else (here["major"], here["minor"] + 1)


def _moved(policy: str, present: Pointer | None, expected: int) -> str:
    where = f"{present.version} at revision {present.revision}, moved by {present.who}" if present else "not set"
    return f"production of policy '{policy}' is {where}, not at revision {expected}; look at it again and retry"
