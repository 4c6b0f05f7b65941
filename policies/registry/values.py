"""Rows of the registry as frozen values. Times are Unix seconds (float, UTC)."""

from dataclasses import dataclass, field
from typing import Any, Literal

from policies.genome import Genome, LayerName, Lineage, Source
from policies.lifecycle import State

Role = Literal["production", "challenger", "holdback"]


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable, numbered genome of one policy; `number` is (1, 0) for `v1.0`."""

    policy: str
    number: tuple[int, int]
    genome: Genome
    lineage: Lineage
    created_at: float
    who: str  # "operator", "evolver", "config", or a gateway writer's name
    why: str
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """`v1.0`."""
        return f"v{self.number[0]}.{self.number[1]}"


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which version is in production. `revision` grows by one with each move: the compare-and-set token."""

    policy: str
    version: str
    revision: int
    moved_at: float
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A genome on its way. `stations` holds what each station measured, by station name."""

    id: str
    policy: str
    layer: LayerName
    genome: Genome
    base: str  # label of the version that it was bred from
    lineage: Lineage
    state: State
    state_since: float
    created_at: float
    revision: int = 0
    stations: dict[str, Any] = field(default_factory=dict)
    reason: str = ""  # why it stands where it stands, one sentence


@dataclass(frozen=True, slots=True)
class Experiment:
    """One randomised comparison of a candidate with production: opened at canary, closed with a verdict."""

    id: str
    policy: str
    candidate: str
    control: str  # version label
    salt: str
    ordinal: int  # k of e-LOND: 0 for an operator's override, which is in no stream
    started_at: float
    ended_at: float | None = None
    verdict: Literal["", "PROMOTE", "ROLL BACK", "INCONCLUSIVE"] = ""
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Holdback:
    """A fixed share of conversations kept on an older version, to go on comparing after a promotion."""

    policy: str
    version: str
    share: float
    experiment: str
    salt: str
    since: float


@dataclass(frozen=True, slots=True)
class Totals:
    """Monotone sums of one writer for one subject and bucket; readers add writers and buckets up.

    `kind` "evidence": subject is an experiment id, `bucket` the assignment time in whole seconds.
    `kind` "posterior": subject is a genome's content hash, bucket 0, `data` by intent.
    `kind` "router": subject is a policy, bucket 0, `data` what a writer's router has learnt (`policies.strategy.lore`).
    `watermark` is the assignment time (Unix seconds) of the writer's oldest unsettled unit.
    """

    kind: Literal["evidence", "posterior", "router"]
    subject: str
    writer: str
    bucket: int
    data: dict[str, Any]
    watermark: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class MemorySnapshot:
    """A memory's content by its name, the hash; the content itself is read apart. `entries` counts active ones."""

    policy: str
    hash: str
    parent: str  # hash of what it was made of; empty: of nothing
    at: float
    who: str
    why: str
    entries: int
    detail: dict[str, Any] = field(default_factory=dict)  # the operations that made it


@dataclass(frozen=True, slots=True)
class Incident:
    """Something went wrong: a trip, a provider outage, draws that do not follow their odds, a failed reload."""

    id: str
    policy: str
    kind: Literal["TRIP", "SEVERE", "PROVIDER", "EJECT", "SAMPLE_RATIO", "OPERATOR"]
    at: float
    subject: str  # candidate id, upstream or policy name
    summary: str
    evidence: dict[str, Any]
    resolved_at: float | None = None


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Content that failed; it is not tried again unmodified."""

    policy: str
    content_hash: str
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What analysis found, with the records behind it."""

    id: str
    policy: str
    kind: str
    at: float
    severity: float  # 0..1
    summary: str
    recommendation: str
    evidence: dict[str, Any]  # record ids, terms, n, interval


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the audit trail: who did what to which subject, and why. `link` is the registry's (see `trail`)."""

    at: float
    policy: str
    who: str
    action: str
    subject: str
    detail: dict[str, Any] = field(default_factory=dict)
    link: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Lease:
    """What only one may do at a time: whose it is and until when. `fence` grows whenever it changes hands."""

    name: str
    holder: str
    fence: int
    until: float


__all__ = [
    "Candidate",
    "Experiment",
    "Finding",
    "Holdback",
    "Incident",
    "Lease",
    "MemorySnapshot",
    "Note",
    "Pointer",
    "Role",
    "Source",
    "Tombstone",
    "Totals",
    "Version",
]
