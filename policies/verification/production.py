"""Each move of production: by a decision that is on record, or by somebody's word."""

import re

from policies.registry.values import Pointer, Version
from policies.verification.facts import PolicyFacts
from policies.verification.report import DiffersError, Report

_AUTOMATIC = re.compile(r"evolver|w\d+")  # whoever moves it without a person's word


def check_moves(facts: PolicyFacts, report: Report) -> None:
    """Check one policy's moves.

    Raises:
        DiffersError: one is missing, or one was made by nobody's decision.
    """
    versions = {version.label: version for version in facts.versions}
    for revision, pointer in enumerate(facts.pointers, 1):
        name = f"move {pointer.revision} of production of '{facts.name}'"
        if pointer.revision != revision:
            raise DiffersError(name, "revision", pointer.revision, revision)
        if pointer.version not in versions:
            raise DiffersError(name, "version", pointer.version, "none of that label")
        if _AUTOMATIC.fullmatch(pointer.who):
            _decided(pointer, versions[pointer.version], facts, name, report)
        else:
            report.right["moves by somebody's word"] += 1


def _decided(pointer: Pointer, version: Version, facts: PolicyFacts, name: str, report: Report) -> None:
    candidate = version.evidence.get("candidate")
    ejections = [i for i in facts.incidents if i.kind == "EJECT" and i.summary == pointer.why]
    promoted = [e for e in facts.experiments if e.candidate == candidate and e.verdict == "PROMOTE"]
    under_way = [e for e in facts.experiments if e.candidate == candidate and e.ended_at is None]
    if ejections or promoted:
        report.right["moves by a decision"] += 1
    elif under_way:
        report.left_out["moves: their promotion is under way"] += 1
    else:
        raise DiffersError(name, f"decision of {pointer.who}", pointer.why, "no promotion or ejection on record")
