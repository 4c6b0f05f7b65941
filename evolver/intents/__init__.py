"""Intents: what requests are about, learnt from recordings and published for the gateway to tell apart."""

from evolver.intents.learn import STATE, learn

__all__ = ["STATE", "learn"]
