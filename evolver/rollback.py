"""A rollback carried out, as the gateway does it: whoever comes second finds it done."""

from typing import Any, Literal

from evolver.context import Context
from policies.registry.values import Candidate, Incident

Kind = Literal["TRIP", "SEVERE", "EJECT"]


async def roll_back(
    candidate: Candidate, context: Context, *, kind: Kind, experiment: str, summary: str, evidence: dict[str, Any]
) -> None:
    """Take a candidate back for good, with the incident that says why.

    Raises:
        ConflictError: somebody else did already.
    """
    await context.registry.advance(candidate, "trip", who="evolver", reason=summary, now=context.now)
    incident = Incident(
        id=f"{kind.lower()}-{experiment}",
        policy=candidate.policy,
        kind=kind,
        at=context.now,
        subject=candidate.id,
        summary=summary,
        evidence=evidence,
    )
    await context.registry.add_incident(incident)
