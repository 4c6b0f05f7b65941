"""What goes wrong in the recordings, for whom, how often, and how sure one can be."""

from evolver.analysis.analyze import analyze
from evolver.analysis.clusters import Group, cluster
from evolver.analysis.shadowed import Shadowed
from evolver.analysis.values import KINDS, Thresholds

__all__ = ["KINDS", "Group", "Shadowed", "Thresholds", "analyze", "cluster"]
