"""Golden data: requests with answers known to be right, parted so that nothing is tuned on what it is reported on."""

from evolver.golden.build import build
from evolver.golden.collect import collect
from evolver.golden.handwritten import anchors, handwritten, sealed
from evolver.golden.values import SPLITS, Golden, Item, Split

__all__ = ["SPLITS", "Golden", "Item", "Split", "anchors", "build", "collect", "handwritten", "sealed"]
