"""Optimizers compared honestly: the same evaluations, the same material, the same number of calls, paired seeds."""
