"""The sample-ratio alarm, raised again: every first draw up to it, in the order of assignment.

It stops all decisions, so it must have had a reason. The evolver reads each unit's first draw and keeps a test for each
set of arms; what fired, at which draw and with which figures, is on record.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from policies.evidence import SampleRatio
from policies.evidence.sample_ratio import SampleRatios
from policies.registry.values import Incident
from policies.verification.report import Difference, first_difference

KIND = "SAMPLE_RATIO"
_ID = "sample-ratio-"
_DIGITS = 3  # that what was to be expected is stored with


class Draws:
    """A policy's draws as far as its incidents of that kind reach. Nothing is kept where there are none."""

    def __init__(self, incidents: list[Incident]) -> None:
        self._incidents = {i.id.removeprefix(_ID): i for i in incidents if i.kind == KIND and i.id.startswith(_ID)}
        self._until = max((incident.at for incident in self._incidents.values()), default=0.0)
        self._drawn: list[tuple[float, str, str, str, list[Any]]] = []  # (time, id, unit, arm, odds)

    def __len__(self) -> int:
        return len(self._incidents)

    def assignment(self, frame: Mapping[str, Any]) -> None:
        """A request was assigned."""
        if frame["why"] == "draw" and frame["at"] <= self._until:
            self._drawn.append((frame["at"], frame["id"], frame["unit"], frame["arm"], frame["arms"]))

    def disagreements(self) -> Iterator[tuple[str, Difference | None]]:
        """For each incident its name and the first number that differs; None where it came out again."""
        fired = {name: (arm, ratio) for name, arm, ratio in self._fired()}
        for name, incident in self._incidents.items():
            record = f"incident {incident.id}"
            if name not in fired:
                yield record, ("draw at which the test fired", name, "none")
            else:
                computed, recorded = _told(*fired[name]), incident.evidence
                same_arms = recorded.get("counts", {}).keys() == computed["counts"].keys()
                arms = None if same_arms else ("evidence.counts", recorded.get("counts"), computed["counts"])
                yield record, arms or first_difference("evidence", recorded, computed)

    def _fired(self) -> Iterator[tuple[str, str, SampleRatio]]:
        tests, met = SampleRatios(), set[str]()
        for _, name, unit, arm, odds in sorted(self._drawn, key=lambda draw: draw[:2]):
            if unit in met:
                continue
            met.add(unit)
            with suppress(ValueError):  # odds that are none are passed over
                ratio = tests.add(arm, dict(odds))
                if ratio is not None:
                    yield name, arm, ratio


def _told(arm: str, ratio: SampleRatio) -> dict[str, Any]:
    counts = {name: {"drawn": seen, "expected": round(mean, _DIGITS)} for name, (seen, mean) in ratio.counts().items()}
    return {"e_value": ratio.e_value, "units": ratio.units, "counts": counts, "drawn": arm}
