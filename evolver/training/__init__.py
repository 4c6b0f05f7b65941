"""Training without weights: a policy over prompt edits learns from groups of replayed answers (GRPO), or groups of
answers are compared and what tells good from bad ones becomes rules (the training-free variant)."""

from evolver.training.curriculum import Curriculum, curriculum
from evolver.training.experience import distil
from evolver.training.grpo import grpo
from evolver.training.run import candidate_of, taught, train
from evolver.training.space import Slot, slots
from evolver.training.terms import Hyper, Terms
from evolver.training.values import Answered, Ask, GroupStatistics, Method, RewardGain, Trained

__all__ = [
    "Answered",
    "Ask",
    "Curriculum",
    "GroupStatistics",
    "Hyper",
    "Method",
    "RewardGain",
    "Slot",
    "Terms",
    "Trained",
    "candidate_of",
    "curriculum",
    "distil",
    "grpo",
    "slots",
    "taught",
    "train",
]
