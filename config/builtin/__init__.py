"""Configurations that come with EvoGate, for starting without a file."""

from pathlib import Path
from typing import Literal


def path(name: Literal["provider", "sandbox", "demo"]) -> Path:
    """Where the built-in configuration of that name lies."""
    return Path(__file__).parent / f"{name}.yaml"
