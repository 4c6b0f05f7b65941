"""Topics: what the requests of one intent are about, and who served them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from evolver.analysis.clusters import cluster
from evolver.examples import Example


@dataclass(frozen=True, slots=True)
class Topic:
    """Examples about one thing, nearest to its centre first. `model` is empty where several are mixed."""

    intent: str
    model: str
    terms: tuple[str, ...]
    examples: tuple[Example, ...]

    @property
    def label(self) -> str:
        """The recorded intent, or, where there is none, the words that set the topic apart."""
        words = ", ".join(self.terms[:3]) or "all requests"
        return f"{self.intent} ({words})" if self.intent else words


def topics(examples: Sequence[Example], *, by_model: bool, rng: np.random.Generator) -> list[Topic]:
    """Cluster the requests within intent (and model): deterministic order, given the rng."""
    strata: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for example in examples:
        strata[example.intent, example.model if by_model else ""].append(example)
    found = []
    for (intent, model), members in sorted(strata.items()):
        for group in cluster([example.request_text for example in members], rng=rng):
            found.append(Topic(intent, model, group.terms, tuple(members[i] for i in group.members)))  # noqa: PERF401
    return found


def in_turn(examples: Iterable[Example]) -> list[Example]:
    """Each client's first, then each one's second: nobody fills alone what is read of a topic.

    A client is a tenant; where nobody said whose request it was, a conversation.
    """
    by_client: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_client[f"tenant {example.tenant}" if example.tenant else example.unit].append(example)
    rounds = zip_longest(*by_client.values())
    return [example for one_each in rounds for example in one_each if example is not None]


def one_per_unit(examples: Iterable[Example], rng: np.random.Generator) -> list[Example]:
    """One example of each conversation, drawn at random: turns of one conversation are not independent."""
    by_unit: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_unit[example.unit].append(example)
    return [turns[int(rng.integers(len(turns)))] if len(turns) > 1 else turns[0] for turns in by_unit.values()]
