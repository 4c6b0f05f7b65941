"""What is wired in so far."""

RESCUES = True
"""Retries, fallbacks and the rescue of cut streams act: the cases of `test_rescued.py` and `test_flapping.py` run."""
