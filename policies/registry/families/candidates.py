"""The registry: candidates and tombstones."""

from dataclasses import replace
from typing import Any

from policies import lifecycle
from policies.errors import ConflictError, NotFoundError
from policies.registry.connection import Connection, DuplicateError
from policies.registry.families.audit import append_note
from policies.registry.families.leases import held
from policies.registry.queries import queries
from policies.registry.rows import from_row, to_row
from policies.registry.trail import candidate_added, candidate_moved
from policies.registry.values import Candidate, Lease, Tombstone

_SQL = queries("candidates")
BURYING: frozenset[lifecycle.Event] = frozenset({"fail", "trip", "override_reject"})


class Candidates(Connection):
    """`policies.registry.port.Candidates`."""

    async def add_candidate(self, candidate: Candidate, *, under: Lease | None = None) -> bool:
        """Store a new one; False (and nothing stored) where its content is tombstoned, or already on its way.

        Raises:
            ConflictError: another candidate has that id, or the lease `under` which it was made has changed hands.
        """
        try:
            async with self.writing() as db:
                await held(db, under)
                added = await db.execute(_SQL["add"], _row(candidate)) == 1
                if added:
                    await append_note(db, candidate_added(candidate))
                return added
        except DuplicateError as error:
            raise ConflictError(f"there is another candidate '{candidate.id}'; give this one a fresh id") from error

    async def candidate(self, candidate_id: str) -> Candidate:
        """One by id or unambiguous prefix of it.

        Raises:
            NotFoundError: none or several match.
        """
        found = [from_row(Candidate, row) for row in await self.fetch(_SQL["by_prefix"], {"prefix": candidate_id})]
        if len(found) == 1 or (found and found[0].id == candidate_id):
            return found[0]
        if not found:
            raise NotFoundError(f"there is no candidate '{candidate_id}'; `evogate history` lists them")
        names = ", ".join(one.id for one in found)
        raise NotFoundError(f"'{candidate_id}' begins the ids of several candidates ({names}); give more of it")

    async def candidates(self, policy: str | None = None, *, live: bool = False) -> list[Candidate]:
        """Oldest first; `live` leaves out those that have ended."""
        return [from_row(Candidate, row) for row in await self.fetch(_SQL["all"], {"policy": policy, "live": live})]

    async def advance(
        self,
        candidate: Candidate,
        event: lifecycle.Event | None,
        *,
        who: str,
        reason: str,
        now: float,
        station: str | None = None,
        measured: dict[str, Any] | None = None,
    ) -> Candidate:
        """Move along the table and note it; `measured` is stored under `stations[station]`.

        With `event` None the state stays and only the measurement (and reason, where not empty) is stored.
        `fail`, `trip` and `override_reject` also tombstone the content, in the same transaction.

        Raises:
            ConflictError: the candidate has changed since it was read, or the table has no such way.
        """
        after = _measured(candidate, station or candidate.state, measured)
        if event is not None:
            after = replace(after, state=lifecycle.advance(candidate.state, event), state_since=now)
        after = replace(after, reason=reason or ("" if event else candidate.reason))
        async with self.writing() as db:
            if await db.execute(_SQL["change"], _row(after)) != 1:
                raise ConflictError(f"candidate '{candidate.id}' has changed since it was read; look again and retry")
            if event in BURYING:
                stone = Tombstone(after.policy, after.genome.content_hash, now, reason)
                await db.execute(_SQL["bury"], to_row(stone))
            if event is not None:
                await append_note(db, candidate_moved(candidate, after, event, who, now))
        return replace(after, revision=after.revision + 1)

    async def tombstones(self, policy: str) -> list[Tombstone]:
        """Oldest first."""
        return [from_row(Tombstone, row) for row in await self.fetch(_SQL["tombstones"], {"policy": policy})]


def _row(candidate: Candidate) -> dict[str, Any]:
    live = candidate.state not in lifecycle.ENDED
    return to_row(candidate, live=live, content_hash=candidate.genome.content_hash)


def _measured(candidate: Candidate, station: str, measured: dict[str, Any] | None) -> Candidate:
    return candidate if measured is None else replace(candidate, stations=candidate.stations | {station: measured})
