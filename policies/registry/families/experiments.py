"""The registry: experiments and holdbacks."""

import secrets
from typing import Any

from policies.errors import NotFoundError
from policies.registry.connection import Connection
from policies.registry.families.audit import append_note
from policies.registry.queries import queries
from policies.registry.rows import encode, from_row, to_row
from policies.registry.trail import experiment_closed, experiment_opened, holdback_set
from policies.registry.values import Experiment, Holdback

_SQL = queries("experiments")


class Experiments(Connection):
    """`policies.registry.port.Experiments`."""

    async def open_experiment(
        self, policy: str, candidate: str, control: str, *, salt: str, counted: bool, now: float
    ) -> Experiment:
        """Store one; `counted` gives it the policy's next ordinal (e-LOND's k), otherwise the ordinal is 0."""
        async with self.writing() as db:
            (row,) = await db.fetch(_SQL["next_ordinal"], {"policy": policy})
            experiment = Experiment(
                id=secrets.token_hex(8),
                policy=policy,
                candidate=candidate,
                control=control,
                salt=salt,
                ordinal=row["ordinal"] if counted else 0,
                started_at=now,
            )
            await db.execute(_SQL["open"], to_row(experiment))
            await append_note(db, experiment_opened(experiment))
        return experiment

    async def close_experiment(
        self, experiment_id: str, verdict: str, evidence: dict[str, Any], *, now: float
    ) -> Experiment:
        """End it once; closing a closed one changes nothing and returns it as it is.

        Raises:
            NotFoundError: no such experiment.
        """
        ended = {"id": experiment_id, "verdict": verdict, "evidence": encode(evidence), "ended_at": now}
        async with self.writing() as db:
            closed = await db.execute(_SQL["close"], ended) == 1
            rows = await db.fetch(_SQL["by_id"], {"id": experiment_id})
            if not rows:
                raise NotFoundError(f"there is no experiment '{experiment_id}'; `evogate experiments` lists them")
            experiment = from_row(Experiment, rows[0])
            if closed:
                await append_note(db, experiment_closed(experiment))
        return experiment

    async def experiments(self, policy: str | None = None, *, running: bool = False) -> list[Experiment]:
        """Oldest first."""
        rows = await self.fetch(_SQL["all"], {"policy": policy, "running": running})
        return [from_row(Experiment, row) for row in rows]

    async def set_holdback(self, policy: str, holdback: Holdback | None, *, now: float) -> None:
        """Set or clear the policy's holdback; `now` is when it was cleared."""
        async with self.writing() as db:
            if holdback is None:
                changed = await db.execute(_SQL["clear_holdback"], {"policy": policy}) > 0
            else:
                changed = await db.execute(_SQL["set_holdback"], to_row(holdback, policy=policy)) > 0
            if changed:
                await append_note(db, holdback_set(policy, holdback, now))

    async def holdbacks(self) -> list[Holdback]:
        """Those in force."""
        return [from_row(Holdback, row) for row in await self.fetch(_SQL["holdbacks"])]
