"""Which model serves a request, where the genome leaves it open (`model_key: auto`).

    score = a * similarity + b * capability + c * rating - d * cost - e * latency

Every term is normalised to 0..1 and recorded. Similarity: how well each model did on its own past requests nearest to
this one (k = 7), pulled towards 1/2 while there are few. Capability: as configured. Rating: Elo's, from requests so
alike that their outcomes can be compared. Cost and latency: as expected, in units of the dearest and the slowest.

What is known lives in memory and is bounded: the last requests of each model as hashed words. It learns nothing from
outcomes that say nothing about a model. A later word about an answer revises what was learnt from it. `Lore` is what a
router of one process tells its successor and the routers of others; ratings are sums of moves, so they add up.

Sources: Cover and Hart 1967 for neighbours; Weinberger et al. 2009 for hashed features; Elo 1978.
"""

from __future__ import annotations  # numpy's types are named, and not loaded

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from policies.arrays import np
from policies.genome import StrategyLayer
from policies.strategy.features import features
from policies.strategy.lore import Known, Lore
from policies.strategy.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]
    Numbers = NDArray[np.float64]

AUTO = "auto"
BYTES_A_TOKEN = 4  # about, of a request
NEIGHBOURS = 7
KEPT = 1_280  # requests, shared evenly among the models: twice as many choose no better on recorded outcomes
_PRIOR = 1.0  # neighbours of quality 1/2 that are always there, each as near as can be
_ALIKE = 0.6  # cosine from which two requests' outcomes count as a match
_STEP = 16.0  # Elo's K
_SCALE = 400.0
_FORGETS = 0.05  # of a running mean, with each outcome


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the terms, 0 or more."""

    similarity: float = 1.0
    capability: float = 0.3
    rating: float = 0.3
    cost: float = 0.3
    latency: float = 0.1


def weights_of_terms(genes: StrategyLayer) -> Weights:
    """As a genome has them."""
    return Weights(
        genes.router_similarity,
        genes.router_capability,
        genes.router_rating,
        genes.router_cost,
        genes.router_latency,
    )


class Choice(NamedTuple):
    """A model that may be chosen. Prices in US dollars per million tokens; `capability` 0..1."""

    key: str
    capability: float
    input_price: float
    output_price: float
    context_tokens: int | None = None  # None: no limit is known
    tools: bool = True

    def fits(self, tokens: int, *, tools: bool) -> bool:
        """Whether a request of about that many tokens, answer included, is within what the model can do."""
        return (self.tools or not tools) and (self.context_tokens is None or tokens <= self.context_tokens)


class Routing(NamedTuple):
    """A decision: the model's key, and for each eligible one its terms, in the order of the formula, and its score."""

    key: str
    terms: Mapping[str, tuple[float, ...]]
    vector: Vector  # of the request, for `learn`

    @property
    def record(self) -> dict[str, Any]:
        """As the assignment frame has it."""
        return {"key": self.key, "terms": {key: [round(x, 4) for x in terms] for key, terms in self.terms.items()}}


class Preferred(NamedTuple):
    """The genome has a model for the request's intent, so that nothing was weighed."""

    key: str
    intent: str

    @property
    def record(self) -> dict[str, Any]:
        """As the assignment frame has it."""
        return {"key": self.key, "intent": self.intent}


class Router:
    """What one policy knows of its models, and the decision. `choices` in the order in which ties are broken."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        self.choices = tuple(choices)
        self.changes = 0  # how often something was learnt or revised
        self._index = {choice.key: at for at, choice in enumerate(self.choices)}
        self._kept = max(NEIGHBOURS, KEPT // max(1, len(self.choices)))
        self._places: dict[str, tuple[int, int]] = {}  # request id -> model, slot
        self._standing: tuple[list[float], list[float], list[float]] | None = None  # ratings, times, answers' tokens

    @cached_property
    def _tables(self) -> Tables:
        """Made when the first request is routed, or something is learnt: most policies name their model."""
        return Tables(self.choices, self._kept)

    def position(self, key: str) -> int:
        """Of a model among the choices."""
        return self._index[key]

    def route(self, text: str, tokens: int, eligible: Sequence[int], weights: Weights) -> Routing:
        """Choose among the models at the positions `eligible`, of which there is at least one.

        Args:
            text: what the request asks.
            tokens: about how many go in.
            eligible: positions in `choices`.
            weights: of the terms.
        """
        vector = features(text)
        standing = self._standing
        if standing is None:
            standing = self._standing = self._rating().tolist(), self._latency().tolist(), self._tables.tokens.tolist()
        rating, latency, answer = standing
        similarity = self._similarity(vector).tolist()
        usd = [tokens * self.choices[at].input_price + answer[at] * self.choices[at].output_price for at in eligible]
        dearest, slowest = max(usd) or 1.0, max([latency[at] for at in eligible]) or 1.0
        a, b, c, d, e = weights.similarity, weights.capability, weights.rating, weights.cost, weights.latency
        found: dict[str, tuple[float, ...]] = {}
        best, most = "", -inf
        for at, price in zip(eligible, usd, strict=True):  # ten rows: lists are quicker than arrays
            key, capability = self.choices[at].key, self.choices[at].capability
            near, rated, cost, slow = similarity[at], rating[at], price / dearest, latency[at] / slowest
            score = a * near + b * capability + c * rated - d * cost - e * slow
            found[key] = near, capability, rated, cost, slow, score
            if score > most:
                best, most = key, score
        return Routing(best, found, vector)

    def learn(self, key: str, vector: Vector, quality: float, *, ms: float, tokens: int, request_id: str = "") -> None:
        """What came of a request.

        Args:
            key: who served it.
            vector: of its text.
            quality: 0..1.
            ms: to the last byte.
            tokens: of the answer; 0 is unknown.
            request_id: to `revise` it by; empty: nobody will.
        """
        tables = self._tables
        at = self._index[key]
        self._standing = None
        self._match(at, vector, quality)
        self._keep(at, vector, quality, request_id, foreign=False)
        tables.ms[at] = ms if np.isnan(tables.ms[at]) else tables.ms[at] + _FORGETS * (ms - tables.ms[at])
        if tokens:
            tables.tokens[at] += _FORGETS * (tokens - tables.tokens[at])

    def revise(self, request_id: str, quality: float) -> bool:
        """A word about an answer: its quality, 0..1. Whether the request is still on record."""
        place = self._places.get(request_id)
        if place is None:
            return False
        at, slot = place
        before = float(self._tables.quality[place])
        if quality != before:
            self._standing = None
            self._tables.quality[place] = quality
            self.changes += 1
            if not self._tables.foreign[place]:
                self._match(at, self._tables.vectors[at, slot], quality, before)
        return True

    def _keep(self, at: int, vector: Vector, quality: float, request_id: str, *, foreign: bool) -> None:
        tables = self._tables
        slot = int(tables.learnt[at]) % self._kept
        self._places.pop(tables.ids[at][slot], None)
        tables.vectors[at, slot], tables.quality[at, slot], tables.foreign[at, slot] = vector, quality, foreign
        tables.ids[at][slot] = request_id
        if request_id:
            self._places[request_id] = at, slot
        tables.learnt[at] += 1
        self.changes += 1

    def _near(self, vector: Vector) -> NDArray[np.float32]:
        """(models, requests kept): cosine to each request on record, else 0. Good until the next call."""
        tables = self._tables
        near = np.dot(tables.flat, vector, out=tables.near)  # one product, and no room to be found for it
        return np.maximum(near, np.float32(0.0), out=near).reshape(len(self.choices), self._kept)

    def _similarity(self, vector: Vector) -> Numbers:
        near, rows = self._near(vector), self._tables.rows
        best = near.argpartition(self._kept - NEIGHBOURS, axis=1)[:, -NEIGHBOURS:]
        weight = near[rows, best].astype(np.float64)
        votes = (weight * self._tables.quality[rows, best]).sum(axis=1)
        return np.asarray((votes + 0.5 * _PRIOR) / (weight.sum(axis=1) + _PRIOR))

    def _rating(self) -> Numbers:
        tables = self._tables
        return np.asarray(1.0 / (1.0 + 10.0 ** ((tables.ratings.mean() - tables.ratings) / _SCALE)))

    def _latency(self) -> Numbers:
        tables = self._tables
        if np.isnan(tables.ms).all():
            return np.zeros(len(self.choices))
        return np.where(np.isnan(tables.ms), np.nanmin(tables.ms), tables.ms)  # the unknown is worth a try

    def _match(self, at: int, vector: Vector, quality: float, before: float | None = None) -> None:
        """Elo's update against each other model's most similar request, where that is similar enough.

        `before` is the quality that was counted earlier: then only the difference moves the ratings.
        """
        tables = self._tables
        near = self._near(vector)
        slots = near.argmax(axis=1)
        for other, slot in enumerate(slots.tolist()):
            if other != at and near[other, slot] >= _ALIKE:
                if before is not None:
                    moved = _STEP * 0.5 * (quality - before)
                else:
                    won = 0.5 + 0.5 * (quality - float(tables.quality[other, slot]))
                    odds = 10.0 ** ((tables.ratings[other] - tables.ratings[at]) / _SCALE)
                    moved = _STEP * (won - 1.0 / (1.0 + odds))
                for model, by in ((at, moved), (other, -moved)):
                    tables.ratings[model] += by
                    tables.moved[model] += by

    # -- told and heard ----------------------------------------------------------------------------------------

    def lore(self) -> Lore:
        """What this router has learnt itself: a copy, which may be read by another thread."""
        tables = self._tables
        models = []
        for at, choice in enumerate(self.choices):
            count, own = min(int(tables.learnt[at]), self._kept), ~tables.foreign[at]
            first = int(tables.learnt[at]) % self._kept if count == self._kept else 0
            order = [slot for slot in np.roll(np.arange(count), -first).tolist() if own[slot]]
            models.append(
                Known(
                    choice.key,
                    float(tables.moved[at]),
                    None if np.isnan(tables.ms[at]) else float(tables.ms[at]),
                    float(tables.tokens[at]),
                    tuple(tables.ids[at][slot] for slot in order),
                    tables.quality[at, order],
                    tables.vectors[at, order],
                )
            )
        return Lore(tuple(models))

    def take(self, lore: Lore, before: Lore | None = None, *, own: bool = False) -> None:
        """Add what another router has learnt, `before` of which was taken earlier; with `own`, what this one had.

        What it knows of models that are no choices here is left.
        """
        tables = self._tables
        self._standing = None
        earlier = {known.key: known for known in before.models} if before is not None else {}
        for known in lore.models:
            at, seen = self._index.get(known.key), earlier.get(known.key)
            if at is None:
                continue
            by = known.moved - (seen.moved if seen is not None else 0.0)
            tables.ratings[at] += by
            if own:
                tables.moved[at] += by
            if np.isnan(tables.ms[at]) and known.ms is not None:
                tables.ms[at], tables.tokens[at] = known.ms, known.tokens
            old = set(seen.ids) if seen is not None else set()
            for row, request_id in enumerate(known.ids):
                if not self.revise(request_id, float(known.quality[row])) and request_id not in old:
                    self._keep(at, known.vectors[row], float(known.quality[row]), request_id, foreign=not own)
