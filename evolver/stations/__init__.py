"""The line: which stations look at a candidate in which state. Replace one by putting another object in its place."""

from evolver.stations.admission import Admission
from evolver.stations.base import Move, Station, UpstreamDownError
from evolver.stations.canary import CanaryStart
from evolver.stations.confirmation import Confirmation
from evolver.stations.gates import Gates
from evolver.stations.judging import Judging
from evolver.stations.log import LogReading
from evolver.stations.promotion import Promotion
from evolver.stations.shadow import Shadow
from policies.lifecycle import State

Line = dict[State, tuple[Station, ...]]

__all__ = ["Line", "Move", "Station", "UpstreamDownError", "line"]


def line() -> Line:
    """A new line; several stations of one state are asked in turn until one of them moves the candidate."""
    return {
        "proposed": (Gates(),),
        "gated": (Admission(),),
        "shadow": (LogReading(), Shadow(), Judging()),
        "judged": (CanaryStart(),),
        "canary": (Promotion(),),
        "promoted": (Confirmation(),),
    }
