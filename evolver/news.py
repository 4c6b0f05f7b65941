"""Tells the webhook of incidents and rollbacks that others wrote into the registry, each once."""

from evolver.context import Context

STATE = "announced"


class News:
    """Remembers in the registry how far it has told."""

    def __init__(self) -> None:
        self._told: set[str] | None = None

    async def look(self, context: Context) -> None:
        """Announce incidents that are new; what was there before the first start is old."""
        incidents = await context.registry.incidents()
        if self._told is None:
            stored = await context.registry.state(STATE)
            self._told = set(stored.get("incidents", [i.id for i in incidents]))
        new = [incident for incident in incidents if incident.id not in self._told]
        for incident in new:
            rolled_back = incident.kind in ("TRIP", "SEVERE", "EJECT")
            detail = {"id": incident.id, "kind": incident.kind, "subject": incident.subject}
            event = "rollback" if rolled_back else "incident"
            context.webhook.send(event, incident.policy, incident.at, {**detail, "summary": incident.summary})
        if new:
            self._told = {incident.id for incident in incidents}
            await context.registry.set_state(STATE, {"incidents": sorted(self._told)})
