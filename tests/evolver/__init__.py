"""Tests of the evolver."""
