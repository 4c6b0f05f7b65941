"""The registry port: what durable storage of policies must do, in families of at most five methods.

Rules every adapter keeps (the conformance suite in tests/policies/registry checks them):

1. A method is one transaction: it happens wholly or not at all, and is durable when it returns.
2. Versions are immutable. Production is a pointer moved by compare-and-set on its revision.
3. A candidate changes by compare-and-set on its revision; its state only along `policies.lifecycle`.
4. Totals are monotone: one row per (kind, subject, writer, bucket), replaced whole; writing one twice is harmless.
5. What is stored of versions, production, candidates, experiments, holdbacks and incidents leaves a note in the same
   transaction (`policies.registry.trail` says which), and notes form a chain.
6. `changed()` is cheap and differs after every write but those of totals and leases: pollers compare it before
   reading more.
7. A lease is one holder's until it expires, and changes hands with a larger `fence`. A write `under` a lease that has
   changed hands is refused, in the same transaction. Clocks of holders must differ by less than a lease lasts.
"""

from collections.abc import Collection
from typing import Any, Protocol, Self

from policies.genome import Genome, Lineage
from policies.lifecycle import Event
from policies.registry.values import (
    Candidate,
    Experiment,
    Finding,
    Holdback,
    Incident,
    Lease,
    MemorySnapshot,
    Note,
    Pointer,
    Tombstone,
    Totals,
    Version,
)


class Versions(Protocol):
    """Numbered genomes and the production pointer."""

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

    async def versions(self, policy: str) -> list[Version]:
        """All versions, oldest first."""

    async def production(self, policy: str) -> Pointer | None:
        """The pointer, or None before the first `move`."""

    async def move(
        self, policy: str, version: str, *, expected_revision: int, who: str, why: str, now: float
    ) -> Pointer:
        """Point production at `version`; `expected_revision` 0 means "no pointer yet".

        Raises:
            ConflictError: the pointer has moved since it was read.
            NotFoundError: no such version.
        """

    async def pointers(self, policy: str) -> list[Pointer]:
        """Every move of the pointer, oldest first."""


class Candidates(Protocol):
    """Genomes on their way, tombstones beside them."""

    async def add_candidate(self, candidate: Candidate, *, under: Lease | None = None) -> bool:
        """Store a new one; False (and nothing stored) where its content is tombstoned, or already on its way.

        Raises:
            ConflictError: the lease `under` which it was made has changed hands.
        """

    async def candidate(self, candidate_id: str) -> Candidate:
        """One by id or unambiguous prefix of it.

        Raises:
            NotFoundError: none or several match.
        """

    async def candidates(self, policy: str | None = None, *, live: bool = False) -> list[Candidate]:
        """Oldest first; `live` leaves out those that have ended."""

    async def advance(
        self,
        candidate: Candidate,
        event: Event | None,
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

    async def tombstones(self, policy: str) -> list[Tombstone]:
        """Oldest first."""


class Experiments(Protocol):
    """Randomised comparisons and the holdback."""

    async def open_experiment(
        self, policy: str, candidate: str, control: str, *, salt: str, counted: bool, now: float
    ) -> Experiment:
        """Store one; `counted` gives it the policy's next ordinal (e-LOND's k), otherwise the ordinal is 0."""

    async def close_experiment(
        self, experiment_id: str, verdict: str, evidence: dict[str, Any], *, now: float
    ) -> Experiment:
        """End it once; closing a closed one changes nothing and returns it as it is."""

    async def experiments(self, policy: str | None = None, *, running: bool = False) -> list[Experiment]:
        """Oldest first."""

    async def set_holdback(self, policy: str, holdback: Holdback | None, *, now: float) -> None:
        """Set or clear the policy's holdback; `now` is when it was cleared."""

    async def holdbacks(self) -> list[Holdback]:
        """Those in force."""


class TotalsStore(Protocol):
    """Evidence and posteriors: one monotone row per writer, subject and bucket."""

    async def put_totals(self, rows: list[Totals], *, under: Lease | None = None) -> None:
        """Insert or replace, all in one transaction.

        Raises:
            ConflictError: the lease `under` which it was made has changed hands.
        """

    async def totals(self, kind: str, subject: str | None = None) -> list[Totals]:
        """Every writer's rows."""


class Memories(Protocol):
    """Memory snapshots: immutable, named by their content within a policy."""

    async def add_memory(self, snapshot: MemorySnapshot, content: bytes) -> bool:
        """Store one with its packed lines; False (and nothing stored) where the same content is there."""

    async def memory(self, policy: str, digest: str) -> bytes:
        """The packed lines of a snapshot, see `policies.memory.lines`.

        Raises:
            NotFoundError: no such snapshot.
        """

    async def memories(self, policy: str) -> list[MemorySnapshot]:
        """Oldest first."""

    async def drop_memories(self, policy: str, *, keep: Collection[str], before: float) -> int:
        """Remove those made before that time whose hashes are not in `keep`; how many they were."""


class Log(Protocol):
    """What happened and what was found."""

    async def add_incident(self, incident: Incident) -> None:
        """Store one; a second with the same id changes nothing."""

    async def resolve_incident(self, incident_id: str, *, now: float) -> None:
        """Mark it as over."""

    async def incidents(self, policy: str | None = None) -> list[Incident]:
        """Oldest first."""

    async def add_findings(self, findings: list[Finding]) -> None:
        """Store them; ids already known are replaced."""

    async def findings(self, policy: str | None = None) -> list[Finding]:
        """Newest analysis first."""


class Audit(Protocol):
    """The trail of notes, and small named states (freeze, triggers, the evolver's progress)."""

    async def note(self, note: Note) -> None:
        """Append a line."""

    async def notes(self, policy: str | None = None, *, limit: int = 1000) -> list[Note]:
        """The last `limit` lines, oldest first."""

    async def state(self, name: str) -> dict[str, Any]:
        """A named state, empty where it was never set. `"freeze"` holds {"frozen": bool, "who", "why", "at"}."""

    async def set_state(self, name: str, value: dict[str, Any], *, under: Lease | None = None) -> None:
        """Replace it whole.

        Raises:
            ConflictError: the lease `under` which it was made has changed hands.
        """

    async def changed(self) -> int:
        """A number that differs after every write other than those of totals and leases."""


class Leases(Protocol):
    """What only one process of a fleet does at a time."""

    async def take_lease(self, name: str, holder: str, *, now: float, until: float) -> Lease | None:
        """Take or prolong it (times in Unix seconds); None where somebody else holds it at `now`."""

    async def lease(self, name: str) -> Lease | None:
        """Whose it is or was last, and until when; None where nobody ever had it."""

    async def release_lease(self, lease: Lease) -> None:
        """Let the next one have it at once; nothing happens where it is lost already."""


class Registry(Versions, Candidates, Experiments, TotalsStore, Memories, Log, Audit, Leases, Protocol):
    """All families, and the life of the connection."""

    async def __aenter__(self) -> Self:
        """Open, and migrate the schema where it is older than the code."""

    async def __aexit__(self, *exc: object) -> None:
        """Close."""
