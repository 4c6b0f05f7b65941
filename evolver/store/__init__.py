"""The evolver's own database: recordings as rows, ingested exactly once, and the questions asked of them."""

from evolver.store.arrivals import Answer, Draw, Place, Tally
from evolver.store.reads import Pair, Progress, Unit
from evolver.store.store import Store

__all__ = ["Answer", "Draw", "Pair", "Place", "Progress", "Store", "Tally", "Unit"]
