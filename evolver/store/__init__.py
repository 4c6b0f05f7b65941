"""The evolver's own database: recordings as rows, ingested exactly once, and the questions asked of them."""

from evolver.store.reads import Pair, Progress, Unit
from evolver.store.store import Store

__all__ = ["Pair", "Progress", "Store", "Unit"]
