"""Decisions as pure functions and values: no socket, file, clock or global random state.

`now` and `rng` are arguments. Only `policies.registry` performs I/O.
"""
