"""Verification: what was decided, decided again from what is on record. Pure: frames and rows in, differences out.

Draws, odds, rewards and failure classes are computed again record by record; the breaker's and the promotions'
e-processes in the order of assignment; then e-LOND's thresholds, the moves of production and the seals of the trail.
Everything is scalar floats in a fixed order, by the code that decided. Bodies are never needed.
"""

from policies.verification.facts import Facts, PolicyFacts
from policies.verification.recomputation import Recomputation
from policies.verification.report import DiffersError, Report

__all__ = ["DiffersError", "Facts", "PolicyFacts", "Recomputation", "Report"]
