"""Tells the webhook of incidents and rollbacks that others wrote into the registry, each once."""

from evolver.context import Context

STATE = "announced"


class News:
    """Remembers in the registry how far it has told."""

    def __init__(self) -> None:
        self._told: set[str] | None = None

    async def load(self, context: Context) -> set[str]:
        """What was told; before the first start that is all there is. Whatever the first round finds is news then."""
        stored = await context.registry.state(STATE)
        if "incidents" not in stored:
            stored = {"incidents": [incident.id for incident in await context.registry.incidents()]}
        self._told = set(stored["incidents"])
        return self._told

    async def look(self, context: Context) -> None:
        """Announce incidents that are new."""
        told = await self.load(context) if self._told is None else self._told
        incidents = await context.registry.incidents()
        new = [incident for incident in incidents if incident.id not in told]
        for incident in new:
            rolled_back = incident.kind in ("TRIP", "SEVERE", "EJECT")
            detail = {"id": incident.id, "kind": incident.kind, "subject": incident.subject}
            event = "rollback" if rolled_back else "incident"
            context.webhook.send(event, incident.policy, incident.at, {**detail, "summary": incident.summary})
        if new:
            self._told = {incident.id for incident in incidents}
            await context.registry.set_state(STATE, {"incidents": sorted(self._told)})
