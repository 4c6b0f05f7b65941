"""A trip on the sums of several writers comes out again from their records, wherever the watermark was."""

import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from policies.evidence import Decision, ExperimentEvidence, Rows
from policies.verification.breaker import Retrial, Ruling
from policies.verification.fleet import fleet_disagreement
from policies.verification.terms import Terms, Timeline
from tests.policies.verification.rows import NOW, terms_note

SHORT = {"window_s": 600.0, "deadline_s": 30.0}
(TERMS,) = Timeline([terms_note(0.0, breaker=SHORT)]).at(NOW)
WRITERS = 3
Q = 0.3
Event = tuple[float, int, str, bool, str | None]  # time of the answer, writer, unit, challenger, failure


def evidence() -> ExperimentEvidence:
    return ExperimentEvidence("e1", alpha=TERMS.alpha, ratio=TERMS.ratio, window_s=600.0, deadline_s=30.0)


class Fleet:
    """Three writers that exchange now and then; each keeps its own evidence, and all that it was told."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)
        self.live = [evidence() for _ in range(WRITERS)]
        self.told: list[Rows] = [{} for _ in range(WRITERS)]
        self.assigned: list[tuple[int, str, float, bool]] = []
        self.settled: list[tuple[int, str, str | None, float]] = []

    def run(self) -> tuple[int, float, Decision]:
        """Until one of them trips on the fleet's sums: who, when, and on what."""
        waiting: list[Event] = []
        for n in range(4_000):
            now = NOW + n * 0.25
            writer, unit, challenger = n % WRITERS, f"u{n}", self._rng.random() < Q
            self.live[writer].assigned(unit, at=now, challenger=challenger, q=Q)
            self.assigned.append((writer, unit, now, challenger))
            failure = "server_error" if self._rng.random() < (0.5 if challenger else 0.05) else None
            waiting.append((now + self._rng.choice([0.2, 3.0, 12.0]), writer, unit, challenger, failure))
            for event in sorted(event for event in waiting if event[0] <= now):
                waiting.remove(event)
                self.live[event[1]].settled(event[2], event[4], now=event[0])
                self.settled.append((event[1], event[2], event[4], event[0]))
            for each in self.live:
                each.advance(now)
            if n % 4 == 0:
                self.told[writer] = json.loads(json.dumps(self.live[writer].totals()), object_hook=_keys)
            peers = [rows for other, rows in enumerate(self.told) if other != writer and rows]
            decision = self.live[writer].decision(peers, WRITERS)
            if decision.rolls_back and decision.evidence["basis"] == "fleet":
                return writer, now, decision
        raise AssertionError("nobody tripped")


def _keys(value: dict[str, Any]) -> dict[Any, Any]:
    return {int(key) if key.lstrip("-").isdigit() and len(key) != 1 else key: each for key, each in value.items()}


def retried(fleet: Fleet, ruling: Ruling, terms: Terms = TERMS) -> object:
    retrials = [Retrial(ruling, terms) for _ in range(WRITERS)]
    for writer, unit, at, challenger in fleet.assigned:
        retrials[writer].assigned(unit, at, arm="new" if challenger else "old", q=Q)
    for writer, unit, failure, at in fleet.settled:
        retrials[writer].settled(unit, failure, at)
    return fleet_disagreement(ruling, retrials, terms)


def ruling_of(at: float, decision: Decision) -> Ruling:
    recorded = json.loads(json.dumps(decision.evidence))
    return Ruling("incident i", decision.verdict, "e1", (frozenset({"old"}), frozenset({"new"})), NOW, at, 0, recorded)


@pytest.mark.parametrize("seed", range(4))
def test_it_comes_out_again(seed: int) -> None:
    fleet = Fleet(seed)
    _, at, decision = fleet.run()
    assert retried(fleet, ruling_of(at, decision)) is None


@pytest.mark.parametrize("seed", range(4))
def test_an_older_record_without_its_watermarks_comes_out_but_for_the_last_digits(seed: int) -> None:
    fleet = Fleet(seed)
    _, at, decision = fleet.run()
    ruling = ruling_of(at, decision)
    older = {name: value for name, value in ruling.evidence.items() if name != "watermarks"}
    values = older["e_values"]["combined"]
    ruling = replace(ruling, evidence=older | {"e_values": older["e_values"] | {"combined": bits_off(values)}})
    assert retried(fleet, ruling) is None
    assert retried(fleet, replace(ruling, evidence={**ruling.evidence, "watermarks": {}})) is not None


def bits_off(values: dict[str, float]) -> dict[str, float]:
    return {rho: value * (1.0 + 3e-16) for rho, value in values.items()}


@pytest.mark.parametrize("seed", range(4))
def test_it_comes_out_to_the_last_bit(seed: int) -> None:
    fleet = Fleet(seed)
    _, at, decision = fleet.run()
    ruling = ruling_of(at, decision)
    for name in ("watermarks", "counts", "window"):
        other = json.loads(json.dumps(ruling.evidence))
        for lane, value in other[name].items():
            other[name][lane] = value - 5.0 if name == "watermarks" else {"production": [0, 0], "challenger": [0, 0]}
        assert retried(fleet, replace(ruling, evidence=other)) is not None
    off = ruling.evidence["e_values"] | {"combined": bits_off(ruling.evidence["e_values"]["combined"])}
    assert retried(fleet, replace(ruling, evidence={**ruling.evidence, "e_values": off})) is not None


def test_what_was_changed_does_not() -> None:
    fleet = Fleet(1)
    _, at, decision = fleet.run()
    ruling = ruling_of(at, decision)
    worse = json.loads(json.dumps(ruling.evidence))
    worse["e_values"]["answer"]["1"] *= 1.001
    assert retried(fleet, replace(ruling, evidence=worse)) is not None
    assert retried(fleet, replace(ruling, kind="TRIP" if ruling.kind == "SEVERE" else "SEVERE")) is not None
    failed = next(n for n, (_, _, failure, _) in enumerate(fleet.settled) if failure)
    fleet.settled[failed] = (*fleet.settled[failed][:2], None, fleet.settled[failed][3])
    assert retried(fleet, ruling) is not None
