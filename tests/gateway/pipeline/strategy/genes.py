"""The closed loop of strategy genes: a provider's behaviour under which each gene changes what the client gets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]
SLOW = "slow"  # an answer that takes half a second
Reply = Callable[[JSON, int], str | None]  # (request, its number from 0) -> the answer's text; None: never answers


@dataclass(frozen=True)
class Result:
    """What the client got, and what went up for it."""

    text: str
    sent: list[JSON]
    strategy: JSON  # as recorded

    @property
    def models(self) -> list[str]:
        return [body["model"].removeprefix("sandbox-") for body in self.sent]

    @property
    def cancelled(self) -> list[JSON]:
        return [call for call in self.strategy["calls"] if call.get("failure") == "cancelled"]


@dataclass(frozen=True)
class Row:
    """A gene's value, what it takes beside it, how the provider behaves, and what shows that the gene acted."""

    value: Any
    reply: Reply
    effect: Callable[[Result], bool]
    others: JSON = field(default_factory=dict)
    request: JSON = field(default_factory=dict)
    known: tuple[tuple[str, float, float], ...] = ()  # to the router of the question: (model, quality, milliseconds)


def asks_again(request: JSON) -> bool:
    return "can't be used" in str(request["messages"][-1]["content"])


def verifies(request: JSON) -> bool:
    return "Verdict:" in str(request["messages"][-1]["content"])


def by_turn(*texts: str) -> Reply:
    return lambda _, number: texts[number % len(texts)]


def says(right: str) -> Reply:
    """A small model that answers `small`, a large one that answers `large`, and a verifier of that opinion."""
    return lambda request, _: right if verifies(request) else str(request["model"]).removeprefix("sandbox-")


def fast_once(_: JSON, number: int) -> str | None:
    return SLOW if number else "first"


def fast_twice(_: JSON, number: int) -> str | None:
    return SLOW if number > 1 else "a"


WANTS_A = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "required": ["a"]}}}
VOTE = {"use_consensus": True}
CASCADE = {"cascade_model": "small"}

AUTO = {"model_key": "auto"}
LARGE_BETTER = (("small", 0.0, 50.0), ("large", 1.0, 50.0)) * 10
DEAR = AUTO | {"router_similarity": 0.0, "router_cost": 0.6}  # the small model, unless something speaks against it


def chosen(key: str) -> Callable[[Result], bool]:
    return lambda result: result.models == [key]


STRATEGIES: dict[str, Row] = {
    "repairs": Row(
        "local",
        by_turn('Here: {"a": 1,}'),
        lambda result: result.text == '{"a":1}' and len(result.sent) == 1,
        request={"response_format": WANTS_A},
    ),
    "use_consensus": Row(True, by_turn("b", "a", "a"), lambda result: result.text == "a"),
    "voters": Row(5, by_turn("a"), lambda result: len(result.sent) == 5, others=VOTE),
    "voter_models": Row(
        ["large", "small"], by_turn("a"), lambda result: sorted(result.models) == ["large", "large", "small"], VOTE
    ),
    "agreement": Row(
        "numeric", by_turn("1", "so it is 2", "thus 2"), lambda result: result.text.endswith("2"), others=VOTE
    ),
    "agreement_similarity": Row(
        0.7,
        by_turn("Yes, that one is delayed.", "That one is late, indeed.", "No, that one is on time."),
        lambda result: result.strategy["agreement"] > 0.5,
        others=VOTE | {"agreement": "embedding"},
    ),
    "quorum": Row(1.0, fast_twice, lambda result: not result.cancelled, others=VOTE),
    "consensus_deadline_s": Row(0.1, fast_once, lambda result: result.text == "first", others=VOTE),
    "cascade_model": Row("small", says("Correct"), lambda result: result.text == "small"),
    "cascade_verifier": Row(
        "large",
        says("Correct"),
        lambda result: [m for m, body in zip(result.models, result.sent, strict=True) if verifies(body)] == ["large"],
        others=CASCADE | {"cascade_samples": 1},
    ),
    "cascade_threshold": Row(
        1.0,
        lambda request, number: ("Correct" if number > 1 else "Incorrect") if verifies(request) else request["model"],
        lambda result: result.text == "sandbox-large",
        others=CASCADE,
    ),
    "router_similarity": Row(
        0.0, by_turn("a"), chosen("small"), others=AUTO | {"router_rating": 0.0}, known=LARGE_BETTER
    ),
    "router_capability": Row(2.0, by_turn("a"), chosen("large"), others=AUTO),
    "router_rating": Row(2.0, by_turn("a"), chosen("large"), others=DEAR, known=LARGE_BETTER),
    "router_cost": Row(2.0, by_turn("a"), chosen("small"), others=AUTO | {"router_capability": 1.0}),
    "router_latency": Row(
        2.0, by_turn("a"), chosen("large"), others=DEAR, known=(("small", 1.0, 900.0), ("large", 1.0, 9.0))
    ),
    "cascade_samples": Row(5, says("Correct"), lambda result: sum(map(verifies, result.sent)) == 5, others=CASCADE),
}
