"""Router and cascade on recorded outcomes, beside always weak, always strong, and random calls at the same rate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadtests.strategy.outcomes import (
    STRONG_USD,
    WEAK_USD,
    Floats,
    Point,
    Row,
    Table,
    area,
    by_subject,
    cheapest,
    curve,
)
from policies.strategy.features import features
from policies.strategy.router import Choice, Router, Weights

VERIFIER = (0.75, 0.40)  # assumed: says "Correct" of a right, of a wrong answer; the recording has no verdicts
SAMPLES = 3
VERDICT_TOKENS = 250  # of a verification besides the question, at the weak model's price
ONE_POINT = 0.01
_KEYS = ("weak", "strong")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule's curve on the reported half, and the setting that the tuning half chose for it."""

    name: str
    points: list[Point]
    chosen: Point


def router_scores(seen: Sequence[Row], rows: Sequence[Row], weights: Weights) -> Floats:
    """How much better the product's router finds the strong model, cost aside, for each row, having learnt `seen`."""
    router = Router([Choice("weak", 0.0, WEAK_USD, WEAK_USD), Choice("strong", 1.0, STRONG_USD, STRONG_USD)])
    for row in seen:
        vector = features(row.prompt)
        for key, quality in zip(_KEYS, (row.weak, row.strong), strict=True):
            router.learn(key, vector, quality, ms=1.0, tokens=0)
    found = []
    for row in rows:
        terms = router.route(row.prompt, row.tokens, (0, 1), weights).terms
        found.append(terms["strong"][-1] - terms["weak"][-1])
    return np.array(found)


def confidences(rows: Sequence[Row], rng: np.random.Generator) -> Floats:
    """Shares of "Correct" among simulated verdicts about each weak answer, as a cascade's verifier would give them."""
    right = np.array([row.weak for row in rows])
    odds = np.where(right == 1.0, *VERIFIER)
    return np.asarray(rng.binomial(SAMPLES, odds) / SAMPLES)


def verdict_usd(rows: Sequence[Row]) -> Floats:
    """US dollars for the verdicts about each row."""
    tokens = np.array([row.tokens + VERDICT_TOKENS for row in rows], dtype=float)
    return SAMPLES * tokens * WEAK_USD / 1e6


def random_curve(table: Table) -> list[Point]:
    """Calls of the strong model at random: straight between the two."""
    return [
        Point(float(share), float(right.mean()), float(usd.mean()))
        for share in np.linspace(0.0, 1.0, 201)
        for right, usd in [table.served(np.full(len(table.weak), share))]
    ]


def tuned(tuning: Sequence[Row], rng: np.random.Generator) -> Weights:
    """The router's weights with the largest area on a part of the tuning half that it has not learnt from."""
    order = rng.permutation(len(tuning))
    seen = [tuning[at] for at in order[: len(order) * 2 // 3]]
    unseen = [tuning[at] for at in order[len(order) * 2 // 3 :]]
    table = Table.of(unseen)
    options = [Weights(1.0, 0.0, rating, 0.0, 0.0) for rating in (0.0, 0.3, 1.0)]
    return max(options, key=lambda weights: area(curve(router_scores(seen, unseen, weights), table)))


def rules(tuning: Sequence[Row], reported: Sequence[Row], seed: int) -> list[Rule]:
    """Every rule's curve on the reported half; settings are those that reach GPT-4 minus a point on the tuning half."""
    rng = np.random.default_rng(seed)
    weights = tuned(tuning, rng)
    half = len(tuning) // 2
    tuning_table, table = Table.of(tuning[half:]), Table.of(reported)
    found = []
    made = {
        "random": (random_curve(tuning_table), random_curve(table)),
        "router": (
            curve(router_scores(tuning[:half], tuning[half:], weights), tuning_table),
            curve(router_scores(tuning, reported, weights), table),
        ),
        "cascade (simulated verifier)": (
            _cascade_curve(tuning[half:], tuning_table, rng),
            _cascade_curve(reported, table, rng),
        ),
    }
    for name, (before, points) in made.items():
        share = cheapest(before, float(tuning_table.strong.mean()) - ONE_POINT).share
        found.append(Rule(name, points, min(points, key=lambda p: abs(p.share - share))))
    return found


def _cascade_curve(rows: Sequence[Row], table: Table, rng: np.random.Generator) -> list[Point]:
    doubts = 1.0 - confidences(rows, rng) + 1e-6 * rng.random(len(rows))  # equal confidences in any order
    return curve(doubts, table, cascade=verdict_usd(rows))


def subjects(
    tuning: Sequence[Row], reported: Sequence[Row], seed: int
) -> list[tuple[str, int, float, float, float, float]]:
    """(subject, questions, weak, strong, router at half the calls, share of strong calls), by name."""
    scores = router_scores(tuning, reported, tuned(tuning, np.random.default_rng(seed)))
    table = Table.of(reported)
    strong = (scores > np.median(scores)).astype(float)
    right, _ = table.served(strong)
    return [
        (name, int(at.sum()), *(float(column[at].mean()) for column in (table.weak, table.strong, right, strong)))  # type: ignore[misc]
        for name, at in by_subject(table)
    ]
