"""What was decided on the records of several machines is left out on each of them, and said to be."""

from dataclasses import replace

import pytest

from policies.verification.casebook import Casebook
from policies.verification.facts import PolicyFacts
from policies.verification.report import Report
from policies.verification.terms import Timeline
from tests.policies.verification.rows import POLICY, candidate, experiment, incident, terms_note, version

TRIP = replace(incident("TRIP", "harm"), evidence={"e_values": {}, "basis": "fleet"})
PROMOTED = {"e_value": 20.0, "units": [10, 10], "excluded": 0}


@pytest.mark.parametrize(("elsewhere", "left_out"), [({"e1"}, 1), ({"e2"}, 0)])
def test_experiments_of_several_machines_are_left_out(elsewhere: set[str], left_out: int) -> None:
    facts = PolicyFacts(
        POLICY,
        versions=[version(0)],
        candidates=[candidate()],
        experiments=[experiment(1, "PROMOTE", end=60.0, evidence=PROMOTED)],
        incidents=[TRIP],
        elsewhere=frozenset(elsewhere),
    )
    report = Report()
    casebook = Casebook(facts, Timeline([terms_note(0.0)]), 0.0, report)
    found = {
        what: report.left_out[f"{what}: on records of several machines"] for what in ("rollbacks", "promotion tests")
    }
    assert found == {"rollbacks": left_out, "promotion tests": left_out}
    assert (casebook.docket() is None) == bool(left_out)
