"""How an endpoint spells what genes change."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from policies.genome import PromptLayer
from policies.render.stable import Composer
from policies.render.turns import Turns


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One endpoint's requests.

    `spellings` maps a gene to the fields that mean it, the one written by default first. `foreign` names fields of
    other endpoints that a model's renames never write here. `yielding` tells the genes that can't act on a request.
    """

    turns: Callable[[dict[str, Any]], Turns]
    composer: Callable[[PromptLayer], Composer]
    spellings: Mapping[str, tuple[str, ...]]
    asks_usage: bool = False  # a stream tells its usage only where `stream_options` asks for it
    plain: str | None = None  # a field that holds no numbers that could be too long
    foreign: frozenset[str] = frozenset()
    yielding: Callable[[dict[str, Any]], Collection[str]] | None = None
