"""Configurations that come with EvoGate, for starting without a file."""

from pathlib import Path
from typing import Literal

# Rendering again what a built-in configuration rendered needs no provider: an address that stands for it is enough.
STAND_INS = {"EVOGATE_SANDBOX": "http://127.0.0.1:9/v1", "EVOGATE_UPSTREAM": "http://127.0.0.1:9/v1"}


def path(name: Literal["provider", "sandbox", "demo"]) -> Path:
    """Where the built-in configuration of that name lies."""
    return Path(__file__).parent / f"{name}.yaml"
