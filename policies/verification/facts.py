"""What the registry holds of the policies, as values."""

from dataclasses import dataclass, field

from policies.factorial import Sides, alongside, compared
from policies.registry.values import Candidate, Experiment, Incident, Note, Pointer, Version


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """One policy's rows, oldest first.

    `elsewhere` holds the experiments that other machines took part in: their recordings are not here.
    """

    name: str
    versions: list[Version] = field(default_factory=list)
    pointers: list[Pointer] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    experiments: list[Experiment] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    elsewhere: frozenset[str] = frozenset()

    def content_of(self, label: str) -> str | None:
        """The content hash of a version."""
        return next((v.genome.content_hash for v in self.versions if v.label == label), None)

    def sides(self, candidate: Candidate, experiment: Experiment) -> Sides | None:
        """The arms that a canary compared; None where its control is not on record."""
        control = next((v.genome for v in self.versions if v.label == experiment.control), None)
        if control is None:
            return None
        return compared(candidate, experiment, control, self.experiments, self.candidates)

    @property
    def layers(self) -> int:
        """In how many layers candidates were in canary at the same time, at most."""
        layer = {candidate.id: candidate.layer for candidate in self.candidates}
        beside = ((e, *alongside(e, self.experiments)) for e in self.experiments)
        return max((len({layer.get(e.candidate) for e in found}) for found in beside), default=1)


@dataclass(frozen=True, slots=True)
class Facts:
    """All of them.

    `notes` is the whole trail in its order, those about no policy included. `secret` keys the draws; None where it is
    not there. `reach` says for each writer from when on its recordings are whole, in Unix seconds.
    """

    policies: dict[str, PolicyFacts]
    notes: list[Note]
    secret: bytes | None
    reach: dict[str, float]
