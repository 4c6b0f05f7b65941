"""Proposals: patches of production's genome, each with its reason, none with recorded text in it."""

from evolver.proposals.propose import propose
from evolver.proposals.recorded import Recorded, recorded_texts
from evolver.proposals.scope import scope_check
from evolver.proposals.values import Proposal

__all__ = ["Proposal", "Recorded", "propose", "recorded_texts", "scope_check"]
