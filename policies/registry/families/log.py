"""The registry: incidents and findings."""

from policies.errors import NotFoundError
from policies.registry.connection import Connection
from policies.registry.families.audit import append_note
from policies.registry.queries import queries
from policies.registry.rows import from_row, to_row
from policies.registry.trail import incident_added, incident_resolved
from policies.registry.values import Finding, Incident

_SQL = queries("log")


class Log(Connection):
    """`policies.registry.port.Log`."""

    async def add_incident(self, incident: Incident) -> None:
        """Store one; a second with the same id changes nothing."""
        async with self.writing() as db:
            added = await db.execute(_SQL["add_incident"], to_row(incident)) == 1
            if added:
                await append_note(db, incident_added(incident))

    async def resolve_incident(self, incident_id: str, *, now: float) -> None:
        """Mark it as over; the first time counts.

        Raises:
            NotFoundError: no such incident.
        """
        async with self.writing() as db:
            rows = await db.fetch(_SQL["incident"], {"id": incident_id})
            if not rows:
                raise NotFoundError(f"there is no incident '{incident_id}'; `evogate incidents` lists them")
            resolved = await db.execute(_SQL["resolve"], {"id": incident_id, "now": now}) == 1
            if resolved:
                await append_note(db, incident_resolved(rows[0]["policy"], incident_id, now))

    async def incidents(self, policy: str | None = None) -> list[Incident]:
        """Oldest first."""
        return [from_row(Incident, row) for row in await self.fetch(_SQL["incidents"], {"policy": policy})]

    async def add_findings(self, findings: list[Finding]) -> None:
        """Store them; ids already known are replaced."""
        async with self.writing() as db:
            await db.execute_many(_SQL["add_finding"], [to_row(finding) for finding in findings])

    async def findings(self, policy: str | None = None) -> list[Finding]:
        """Newest analysis first."""
        return [from_row(Finding, row) for row in await self.fetch(_SQL["findings"], {"policy": policy})]
