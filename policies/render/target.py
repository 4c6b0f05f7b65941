"""Where a rendered request goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ModelTarget:
    """A configured model: its key, its upstream, what the provider calls it, and which parameters it takes.

    `params` maps a parameter to this model's name for it, or to None where it is not accepted.
    """

    key: str
    upstream: str
    model: str
    params: Mapping[str, str | None] = field(default_factory=dict)
