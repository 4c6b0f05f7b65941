"""The stages of a cycle as services, typed: within the evolver, and each as a process of its own over the same code."""

from evolver.services.stages import STAGES, Stage

__all__ = ["STAGES", "Stage"]
