"""Worlds: the parameters of the task families, drawn from a seed.

Two worlds ask for the same kinds of thing in different words: other labels, field names, tools and facts, and the
opposite answer to "which of two issues counts". A report over many worlds can't be won by learning one of them.
"""

from collections.abc import Mapping
from random import Random
from typing import Any, Literal

import orjson

from gateway.sandbox import lexicon
from gateway.sandbox.draws import digest, generator
from gateway.sandbox.facts import Fact, draw_facts
from gateway.sandbox.rules import Recognisers, fingerprint

Precedence = Literal["first", "last"]


class World:
    """One draw of every parameter.

    Args:
        seed: what everything is drawn from.
        recognisers: which part of the paraphrase recognisers is in force. "held_out" and "all" are for reports only.
    """

    def __init__(self, seed: int, *, recognisers: Recognisers = "open") -> None:
        rng = generator("world", seed)
        self.seed = seed
        self.recognisers = recognisers
        self.issues = _issues(rng)
        self.labels = tuple(dict.fromkeys(self.issues.values()))
        self.precedence: Precedence = rng.choice(("first", "last"))
        self.fields: dict[str, str] = {
            "person": rng.choice(("customer", "client", "buyer")),
            "goods": rng.choice(("item", "product", "article")),
            "count": rng.choice(("quantity", "units", "pieces")),
            "day": rng.choice(("due", "deadline", "deliver_by")),
            "sum": rng.choice(("total", "amount", "order_value")),
        }
        self.tools: dict[str, str] = {
            "room": rng.choice(("book_room", "reserve_room", "create_booking")),
            "ticket": rng.choice(("open_ticket", "create_ticket", "file_issue")),
        }
        self.features: dict[str, str] = {
            "classification": rng.choice(("Support inbox", "Mail desk", "Ticket intake")),
            "extraction": rng.choice(("Order intake", "Order desk", "Purchasing")),
            "arithmetic": rng.choice(("Back office", "Homework helper", "Cost planner")),
            "tools": rng.choice(("Office assistant", "Facilities desk", "Workplace helper")),
            "knowledge": rng.choice(("Product help", "Shop assistant", "Owner's guide")),
            "choice": rng.choice(("Quiz", "Exam practice", "Study hall")),
        }
        self.facts: tuple[Fact, ...] = draw_facts(rng)
        self.world_hash = digest(orjson.dumps(self.parameters(), option=orjson.OPT_SORT_KEYS)).hex()

    def parameters(self) -> Mapping[str, Any]:
        """Everything that was drawn, and the fingerprint of the rules, as JSON values: what `world_hash` covers."""
        return {
            "seed": self.seed,
            "recognisers": self.recognisers,
            "issues": self.issues,
            "precedence": self.precedence,
            "fields": self.fields,
            "tools": self.tools,
            "features": self.features,
            "facts": [fact.text for fact in self.facts],
            "rules": fingerprint(),
        }


def _issues(rng: Random) -> dict[str, str]:
    """How customers put it -> the label that it belongs to, over six topics."""
    topics = rng.sample(lexicon.TOPICS, 6)
    named = [(rng.choice(topic.labels), topic) for topic in topics]
    return {issue: label for label, topic in named for issue in topic.issues}
