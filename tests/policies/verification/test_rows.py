"""Streams of candidates and moves of production: what follows from the decisions on record, and what does not."""

from dataclasses import replace
from typing import Any

import pytest

from policies.evidence import threshold
from policies.registry.values import Experiment, Note, Pointer
from policies.verification import DiffersError, PolicyFacts, Report
from policies.verification.breaker import Ruling
from policies.verification.elond import check_stream, promotions_before
from policies.verification.production import check_moves
from policies.verification.rulings import breaker_rulings, holdback_rulings
from policies.verification.terms import Timeline
from tests.policies.verification.rows import NOW, POLICY, experiment, incident, pointer, terms_note, version

FDR = 0.1


def promoted(ordinal: int, before: int, end: float, **more: Any) -> Experiment:
    evidence = {"threshold": round(threshold(ordinal, before, FDR), 3), **more}
    return experiment(ordinal, "PROMOTE", start=ordinal, end=end, evidence=evidence)


def stream(*experiments: Experiment) -> Report:
    report = Report()
    check_stream(experiments, Timeline([terms_note(0.0)]), report)
    return report


def test_thresholds_follow_places_and_promotions_so_far() -> None:
    found = stream(
        promoted(1, 1, 100.0),
        experiment(2, "INCONCLUSIVE", start=2, end=110.0),
        experiment(0, "PROMOTE", start=3, end=120.0, id="word"),
        promoted(3, 0, 50.0),  # decided before the first: canaries may run in parallel
        promoted(4, 3, 300.0),
        promoted(5, 2, 200.0),
    )
    assert (found.right["thresholds"], found.left_out.total()) == (4, 0)


@pytest.mark.parametrize("before", [0, 2])
def test_a_threshold_of_another_count_is_caught(before: int) -> None:
    with pytest.raises(DiffersError, match="e-LOND threshold"):
        stream(promoted(1, 0, 100.0), promoted(2, before, 200.0))


def test_an_override_is_no_promotion_of_the_stream() -> None:
    word = experiment(1, "PROMOTE", end=100.0, evidence={"override": "I want it"})
    assert stream(word, promoted(2, 0, 200.0)).right["thresholds"] == 1


def test_a_missing_or_repeated_place_is_caught() -> None:
    for ordinals in ([1, 3], [2], [1, 1], [1, 2, 2]):
        with pytest.raises(DiffersError, match="place in the stream"):
            stream(*(experiment(ordinal, id=f"e{n}") for n, ordinal in enumerate(ordinals)))


def test_an_override_counts_in_no_stream_while_the_next_canary_runs() -> None:
    """Nor does it where the candidate had been in canary as one of the stream."""
    past = [promoted(1, 0, 50.0), promoted(2, 1, 90.0, override=True), promoted(3, 1, 95.0)]
    assert promotions_before(experiment(4, start=96), past) == 2


def test_without_terms_a_threshold_is_left_out() -> None:
    report = Report()
    check_stream([promoted(1, 0, 1.0)], Timeline([]), report)
    assert report.left_out["thresholds: their terms are not on record"] == 1


def moves(*pointers: Pointer, **rows: Any) -> Report:
    report = Report()
    versions = [version(0), version(1, candidate="c1"), version(2)]
    check_moves(PolicyFacts(POLICY, versions=versions, pointers=list(pointers), **rows), report)
    return report


def test_moves_are_somebodys_word_or_a_decision() -> None:
    report = moves(
        pointer(1, "v1.0"),
        pointer(2, "v1.1", who="evolver", why="proven"),
        pointer(3, "v1.0", who="w0", why="harm"),
        pointer(4, "v1.2", who="operator:me"),
        experiments=[experiment(1, "PROMOTE", end=1.0)],
        incidents=[incident("EJECT", "harm")],
    )
    assert dict(report.right) == {"moves by somebody's word": 2, "moves by a decision": 2}


def test_a_move_by_nobodys_decision_is_caught() -> None:
    for who, version_, rows in (
        ("evolver", "v1.1", {}),
        ("evolver", "v1.1", {"experiments": [experiment(1, "INCONCLUSIVE", end=1.0)]}),
        ("w3", "v1.0", {"incidents": [incident("EJECT", "another harm")]}),
        ("evolver", "v1.2", {"experiments": [experiment(1, "PROMOTE", end=1.0)]}),
    ):
        with pytest.raises(DiffersError, match="no promotion or ejection on record"):
            moves(pointer(1, version_, who=who, why="harm"), **rows)


def test_a_promotion_under_way_is_left_out() -> None:
    report = moves(pointer(1, "v1.1", who="evolver"), experiments=[experiment(1)])
    assert report.left_out["moves: their promotion is under way"] == 1


def test_a_missing_move_and_an_unknown_version_are_caught() -> None:
    with pytest.raises(DiffersError, match="revision: recorded 3, computed 2"):
        moves(pointer(1, "v1.0"), pointer(3, "v1.2"))
    with pytest.raises(DiffersError, match="none of that label"):
        moves(pointer(1, "v7.7"))


def test_an_ejection_by_the_evolver_is_its_own_reading_not_a_writers_sums() -> None:
    """It takes units as they stood at their deadline, all writers in one: no writer's sums are those."""
    evidence = {"e_values": {}, "counts": {}, "at": 1.0, "subject": "new", "experiment": "e1"}
    held = Note(NOW, POLICY, "evolver", "holdback", "v1.0", {"experiment": "e1", "share": 0.5})
    facts = PolicyFacts(
        POLICY, versions=[version(0)], notes=[held], incidents=[replace(incident("EJECT", "harm"), evidence=evidence)]
    )
    assert list(breaker_rulings(facts)) == []
    (ruling,) = holdback_rulings(facts)
    assert isinstance(ruling, Ruling)
    assert (ruling.sides, ruling.at) == ((frozenset({version(0).genome.content_hash}), frozenset({"new"})), 1.0)


@pytest.mark.parametrize("kept", [{"e_values"}, {"counts", "at"}, set()])
def test_an_ejection_without_its_sums_is_left_out_and_said_so(kept: set[str]) -> None:
    evidence = {name: value for name, value in {"e_values": {}, "counts": {}, "at": 1.0}.items() if name in kept}
    facts = PolicyFacts(POLICY, incidents=[replace(incident("EJECT", "harm"), evidence=evidence)])
    found = [*breaker_rulings(facts), *holdback_rulings(facts)]
    assert found == ["EJECT: the sums of its moment are not on record"]
