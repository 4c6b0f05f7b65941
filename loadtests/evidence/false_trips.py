"""Identical candidates: how often does each rule take one back?

The product's figure is the crossing of the answer channel's E(rho=1) alone (in conversations, and with failures of
every class, of the channels' weighted mean; in a fleet of the sum, or of any writer at ten times the evidence). TRIP
also needs the literal rule, which could only hide errors.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from loadtests.evidence import rivals
from loadtests.evidence.noharm import crossed, e_values
from loadtests.evidence.rates import RATES, Floats, constant
from loadtests.evidence.streams import BLOCK, FLOOR, Bools, Ints, Stream, bernoulli, stream
from policies.evidence.channels import (
    ANSWER,
    CUT_SHORT,
    DEAR,
    INVALID,
    LATER,
    REFUSAL,
    SERVER_ERROR,
    SLOW,
    UNREACHABLE,
    Channel,
)
from policies.evidence.ledger import BUCKET_S

RATES_P0 = (0.001, 0.01, 0.05, 0.2)
SHARES: dict[str, float | None] = {"floor": FLOOR, "0.1": 0.1, "0.2": 0.2, "0.5": 0.5, "adaptive": None}
WORLDS = (*RATES, "delay skew", "conversations", "every class", "fleet of 10")
MIX = {UNREACHABLE: 0.1, SERVER_ERROR: 0.3, INVALID: 0.3, REFUSAL: 0.1, CUT_SHORT: 0.05, SLOW: 0.1, DEAR: 0.05}
WRITERS = 10
FLUSH_S, LOST = 1.0, 0.2
SLOW_S, FAST_S = 60.0, 1.0
_TURNS = 10.5


@dataclass(frozen=True)
class Cell:
    """One corner of the matrix, and how many of its runs each rule tripped in."""

    world: str
    p0: float
    share: str
    runs: int
    trips: dict[str, int]


Rule = Callable[[np.random.Generator, float, float | None, int], dict[str, Bools]]


def measure(world: str, p0: float, share: str, runs: int, seed: int) -> Cell:
    """All rules in one cell; those of others only at `OTHERS_AT`."""
    rng = np.random.default_rng([seed, *world.encode(), int(p0 * 1e4), *share.encode()])
    found = _SPECIAL.get(world, _plain(world))(rng, p0, SHARES[share], runs)
    trips = {name: int(tripped.sum()) for name, tripped in found.items() if SHARES[share] == OTHERS_AT or name in OURS}
    return Cell(world, p0, share, runs, trips)


OURS = ("E 1 %", "E 5 %")
OTHERS_AT = 0.2  # the share at which others have most to go by


def span(p0: float) -> tuple[int, float]:
    """Units in a run, and units a second: 2 h 47 min or 1 h 40 min of traffic."""
    return (20_000, 2.0) if p0 <= 0.01 else (6_000, 1.0)


def _plain(world: str) -> Rule:
    def rule(rng: np.random.Generator, p0: float, share: float | None, runs: int) -> dict[str, Bools]:
        units, per_s = span(p0)
        found = stream(rng, bernoulli(rng, RATES[world](p0, units), runs), share, per_s=per_s)
        return {**_ours(e_values(found)), **_others(found, share)}

    return rule


def _ours(e: Floats) -> dict[str, Bools]:
    return {"E 1 %": crossed(e, 0.01), "E 5 %": crossed(e, 0.05)}


def _others(found: Stream, share: float | None) -> dict[str, Bools]:
    """Those of others where they are shown: most of the time would go into Kayenta's ranks."""
    if share != OTHERS_AT:
        return {}
    tables = (found.units, found.failures)
    return {
        "literal rule": rivals.literal(*tables),
        "TensorZero": rivals.tensorzero(*tables),
        "P(best)": rivals.best(*tables),
        "Kayenta": rivals.kayenta(*tables),
    }


def _skewed(rng: np.random.Generator, p0: float, share: float | None, runs: int) -> dict[str, Bools]:
    """A candidate's failure is known after a second, production's after a minute, at 20 units a second."""
    units, _ = span(p0)
    found = stream(rng, bernoulli(rng, constant(p0, units), runs), share, per_s=20.0)
    arrival = found.at + np.where(found.challenger, FAST_S, SLOW_S)
    order = np.argsort(np.where(found.real, arrival, np.inf), axis=0, kind="stable")
    late = replace(
        found,
        at=np.take_along_axis(arrival, order, axis=0),
        challenger=np.take_along_axis(found.challenger, order, axis=0),
        q=np.take_along_axis(found.q, order, axis=0),
        real=np.take_along_axis(found.real, order, axis=0),
    )
    late = replace(late, at=np.where(late.real, late.at, np.inf), failures=_arrived(found, arrival))
    return {**_ours(e_values(found)), "arrival order": crossed(e_values(late), 0.01), **_others(late, share)}


def _arrived(found: Stream, arrival: Floats) -> Ints:
    """Failures by the block in which they arrive (those after the end are never seen)."""
    failures = np.zeros_like(found.failures)
    never = float(found.failures.shape[1])
    block = np.where(found.real, np.where(found.real, arrival, 0.0) * found.per_s // BLOCK, never).astype(np.int64)
    for arm in (0, 1):
        rows, columns = np.nonzero(found.real & (found.challenger == arm) & (block < failures.shape[1]))
        np.add.at(failures[arm], (block[rows, columns], columns), 1)
    return failures


def _conversations(rng: np.random.Generator, p0: float, share: float | None, runs: int) -> dict[str, Bools]:
    """1-20 turns, whose failures come in clusters: half of all conversations are four times as prone as the rest."""
    units, per_s = span(p0)
    prone = np.minimum(np.where(rng.random((units, runs)) < 0.5, 1.6, 0.4) * p0, 1.0)
    turns = rng.integers(1, 21, (units, runs))
    answer = rng.random((units, runs)) < prone
    bad_later = rng.binomial(turns - 1, prone)
    any_failure = stream(rng, answer | (bad_later > 0), share, per_s=per_s)
    unit, columns = np.minimum(any_failure.unit, units - 1), np.arange(runs)[None, :]
    channels = [replace(any_failure, real=any_failure.real & found[unit, columns]) for found in (answer, bad_later > 0)]
    first, later = (_held(e_values(channel)) for channel in channels)
    every_turn = e_values(any_failure, times=answer[unit, columns] + bad_later[unit, columns])
    others = _others(_by_turn(any_failure, answer, bad_later), share)
    silent = 1.0 - ANSWER.weight - LATER.weight  # the other channels, which see nothing in this world
    combined = ANSWER.weight * first + LATER.weight * later + silent
    return {**_ours(combined), "every turn counted": crossed(every_turn, 0.01), **others}


def _by_class(rng: np.random.Generator, p0: float, share: float | None, runs: int) -> dict[str, Bools]:
    """Failures of all classes in one stream, some far rarer than others: each in its channel, as in the product."""
    units, per_s = span(p0)
    found = stream(rng, bernoulli(rng, constant(p0, units), runs), share, per_s=per_s)
    kind = rng.choice(len(MIX), found.unit.shape, p=list(MIX.values()))
    seen: dict[Channel, Bools] = {channel: kind == i for i, channel in enumerate(MIX)}
    seen[ANSWER] = ~(seen[SLOW] | seen[DEAR])
    combined = np.full(found.unit.shape, 1.0 - sum(channel.weight for channel in seen))
    for channel, theirs in seen.items():
        combined += channel.weight * _held(e_values(replace(found, real=found.real & theirs), channel.rho))
    return {**_ours(combined), **_others(found, share)}


def _held(e: Floats) -> Floats:
    """The last known e-value where there is none; 1 before the first."""
    rows = np.where(np.isnan(e), -1, np.arange(len(e))[:, None])
    last = np.maximum.accumulate(rows, axis=0)
    return np.asarray(np.where(last < 0, 1.0, np.take_along_axis(e, np.maximum(last, 0), axis=0)))


def _by_turn(found: Stream, answer: Bools, later: Ints) -> Stream:
    """Block tables of turns, as rules that count requests see them: so many in the mean for each conversation."""
    failures = np.zeros_like(found.failures)
    block = np.minimum(found.unit // BLOCK, failures.shape[1] - 1)
    at, columns = np.minimum(found.unit, len(answer) - 1), np.arange(found.runs)[None, :]
    bad = np.where(found.real, answer[at, columns] + later[at, columns], 0)
    for arm in (0, 1):
        rows, cols = np.nonzero(found.real & (found.challenger == arm))
        np.add.at(failures[arm], (block[rows, cols], cols), bad[rows, cols])
    units = np.round(found.units * _TURNS).astype(np.int64)
    return replace(found, units=units, failures=np.minimum(failures, units))


def _fleet(rng: np.random.Generator, p0: float, share: float | None, runs: int) -> dict[str, Bools]:
    """Ten writers whose epochs lag by up to 1,000 units; one flush in five is lost, others come twice."""
    units, per_s = span(p0)
    failed = bernoulli(rng, constant(p0, units), runs)
    found = stream(rng, failed, share, per_s=per_s, lags=2, ramp=True)
    e = e_values(found)
    seen = np.isin(_bucket_ends(found), _visible(rng, units / per_s))
    writer = rng.integers(0, WRITERS, found.unit.shape)
    tripped: dict[str, Bools] = {}
    for name, alpha in (("E 1 %", 0.01), ("E 5 %", 0.05)):
        tripped[name] = crossed(np.where(seen, e, np.nan), alpha)
        for each in range(WRITERS):
            own = replace(found, real=found.real & (writer == each))
            tripped[name] |= crossed(e_values(own), alpha / WRITERS)
    return {**tripped, **_others(found, share)}


def _bucket_ends(found: Stream) -> Floats:
    """For each event the end of its bucket if it is the bucket's last, else -1: readers add up whole buckets only."""
    ends = (np.where(found.real, found.at, -1.0) // BUCKET_S + 1) * BUCKET_S
    after = np.vstack([ends[1:], np.full((1, found.runs), -1.0)])
    return np.where(found.real & (ends != after), ends, -1.0)


def _visible(rng: np.random.Generator, span_s: float) -> Floats:
    """Bucket ends that ever were the watermark of a reader. A flush that is repeated replaces itself."""
    times = np.arange(FLUSH_S, span_s + 2 * FLUSH_S, FLUSH_S)
    arrived = rng.random((WRITERS, len(times))) >= LOST
    arrived[0, (times > 0.3 * span_s) & (times < 0.3 * span_s + 30.0)] = False  # one writer is cut off for a while
    told = np.maximum.accumulate(np.where(arrived, times, 0.0), axis=1)
    return np.unique(told.min(axis=0) // BUCKET_S * BUCKET_S)


_SPECIAL: dict[str, Rule] = {
    "delay skew": _skewed,
    "conversations": _conversations,
    "every class": _by_class,
    "fleet of 10": _fleet,
}
