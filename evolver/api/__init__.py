"""The evolver's HTTP API: see `openapi.py` for its description, as served under `/openapi.json`."""

from evolver.api.app import create_app

__all__ = ["create_app"]
