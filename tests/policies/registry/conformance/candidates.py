"""Rule 3: a candidate changes by compare-and-set, and only along the table of `policies.lifecycle`."""

from dataclasses import replace
from typing import get_args

import pytest

from policies.errors import ConflictError, NotFoundError
from policies.lifecycle import ENDED, STATES, TRANSITIONS, Event, State
from policies.registry import Registry
from policies.registry.trail import digest
from tests.policies.registry.conformance.base import NOW, Conformance, Connect, candidate, genome

EVENTS: tuple[Event, ...] = get_args(Event)


class CandidatesConformance(Conformance):
    async def test_a_candidate_reads_as_it_was_written(self, registry: Registry, connect: Connect) -> None:
        written = candidate(stations={"gates": {"syntax": True, "n": [1, 2]}}, reason="why 'not'")
        assert await registry.add_candidate(written)
        assert await (await connect()).candidate("c1") == written

    async def test_content_on_its_way_is_not_added_again(self, registry: Registry) -> None:
        assert await registry.add_candidate(candidate("c1"))
        assert not await registry.add_candidate(candidate("c2"))
        assert not await registry.add_candidate(candidate("c1"))
        assert await registry.add_candidate(candidate("c3", policy="other"))
        assert await registry.add_candidate(candidate("c4", rule="Be brief."))
        assert [one.id for one in await registry.candidates("support")] == ["c1", "c4"]

    async def test_an_id_stands_for_one_candidate(self, registry: Registry) -> None:
        await registry.add_candidate(candidate("c1"))
        with pytest.raises(ConflictError, match="c1"):
            await registry.add_candidate(candidate("c1", rule="Be brief."))
        assert await registry.candidate("c1") == candidate("c1")

    @pytest.mark.parametrize("event", ["fail", "override_reject", "trip"])
    async def test_failed_content_is_buried_with_the_move(self, registry: Registry, event: Event) -> None:
        here = candidate(state="canary" if event == "trip" else "gated")
        await registry.add_candidate(here)
        await registry.advance(here, event, who="w0", reason="harmful", now=NOW + 5)
        (stone,) = await registry.tombstones("support")
        assert (stone.content_hash, stone.at, stone.reason) == (here.genome.content_hash, NOW + 5, "harmful")
        assert not await registry.add_candidate(candidate("c2"))
        assert await registry.add_candidate(candidate("c3", policy="other"))
        assert await registry.tombstones("other") == []

    async def test_content_that_expired_may_be_tried_again(self, registry: Registry) -> None:
        await registry.add_candidate(candidate("c1"))
        await registry.advance(candidate("c1"), "expire", who="evolver", reason="", now=NOW)
        assert await registry.tombstones("support") == []
        assert await registry.add_candidate(candidate("c2"))

    @pytest.mark.parametrize(
        ("given", "found"), [("c-1", "c-1"), ("c-12", "c-12"), ("c-2", "c-200"), ("c-200", "c-200"), ("d", "d%")]
    )
    async def test_an_unambiguous_prefix_finds(self, registry: Registry, given: str, found: str) -> None:
        for name in ("c-1", "c-12", "c-200", "d%"):
            await registry.add_candidate(candidate(name, rule=name))
        assert (await registry.candidate(given)).id == found

    @pytest.mark.parametrize("given", ["x", "", "c", "c_1", "%", "c-2000", "C-1"])
    async def test_anything_else_does_not(self, registry: Registry, given: str) -> None:
        for name in ("c-1", "c-12", "c-200", "d%"):
            await registry.add_candidate(candidate(name, rule=name))
        with pytest.raises(NotFoundError):
            await registry.candidate(given)

    async def test_candidates_come_oldest_first_and_may_be_narrowed(self, registry: Registry) -> None:
        await registry.add_candidate(candidate("b", rule="1", created_at=NOW + 2))
        await registry.add_candidate(candidate("a", rule="2", created_at=NOW + 2, policy="other"))
        await registry.add_candidate(candidate("c", rule="3", created_at=NOW + 1, state="confirmed"))
        assert [one.id for one in await registry.candidates()] == ["c", "b", "a"]
        assert [one.id for one in await registry.candidates("support")] == ["c", "b"]
        assert [one.id for one in await registry.candidates(live=True)] == ["b", "a"]
        assert [one.id for one in await registry.candidates("support", live=True)] == ["b"]

    @pytest.mark.parametrize("state", STATES)
    async def test_a_state_takes_the_events_of_its_table_only(self, registry: Registry, state: State) -> None:
        for event in EVENTS:
            here = candidate(f"{state}-{event}", rule=event, state=state)
            assert await registry.add_candidate(here)
            expected = TRANSITIONS.get((state, event))
            if expected is None:
                with pytest.raises(ConflictError):
                    await registry.advance(here, event, who="x", reason="", now=NOW)
                assert await registry.candidate(here.id) == here
            else:
                moved = await registry.advance(here, event, who="x", reason="so", now=NOW + 9)
                assert moved == replace(here, state=expected, state_since=NOW + 9, reason="so", revision=1)
                assert await registry.candidate(here.id) == moved
                assert moved in await registry.candidates(live=True) or expected in ENDED

    async def test_a_measurement_is_stored_without_a_move(self, registry: Registry) -> None:
        await registry.add_candidate(candidate(reason="waits"))
        here = await registry.advance(
            candidate(reason="waits"), None, who="e", reason="", now=NOW, station="shadow", measured={"n": 3}
        )
        here = await registry.advance(
            here, None, who="e", reason="more", now=NOW, station="judge", measured={"score": 0.7}
        )
        assert here.stations == {"shadow": {"n": 3}, "judge": {"score": 0.7}}
        assert (here.state, here.state_since, here.reason, here.revision) == ("proposed", NOW, "more", 2)
        assert await registry.candidate("c1") == here
        assert [note.action for note in await registry.notes("support")] == ["candidate"]

    async def test_a_move_is_noted(self, registry: Registry) -> None:
        await registry.add_candidate(candidate())
        await registry.advance(candidate(), "pass", who="evolver", reason="gates passed", now=NOW + 1)
        _, note = await registry.notes("support")
        assert (note.at, note.who, note.action, note.subject) == (NOW + 1, "evolver", "pass", "c1")
        moved = digest(await registry.candidate("c1"))
        assert note.detail == {"from": "proposed", "to": "gated", "reason": "gates passed", "digest": moved}

    async def test_of_two_connections_that_read_the_same_state_one_moves_it(self, connect: Connect) -> None:
        one, two = await connect(), await connect()
        await one.add_candidate(candidate(state="canary"))
        here = await one.candidate("c1")
        tripped = await two.advance(here, "trip", who="w0", reason="harm", now=NOW)
        with pytest.raises(ConflictError, match="changed"):
            await one.advance(here, "pass", who="evolver", reason="gain", now=NOW)
        with pytest.raises(ConflictError, match="changed"):
            await one.advance(here, None, who="evolver", reason="", now=NOW, station="canary", measured={"n": 1})
        assert await one.candidate("c1") == tripped
        assert [note.action for note in await one.notes()] == ["candidate", "trip"]

    async def test_a_candidate_that_was_never_stored_can_not_move(self, registry: Registry) -> None:
        with pytest.raises(ConflictError):
            await registry.advance(candidate(genome=genome("x")), "fail", who="x", reason="", now=NOW)
        assert await registry.tombstones("support") == []
