"""Rule 5: what is stored of a decision leaves one note in the chain, which seals it."""

import asyncio
from dataclasses import replace

import pytest

from policies.errors import ConflictError
from policies.registry import Registry
from policies.registry.trail import digest, first_broken
from policies.registry.values import Holdback, Incident, Note
from tests.policies.registry.conformance.base import NOW, Conformance, Connect, candidate
from tests.policies.registry.conformance.experiments import opened
from tests.policies.registry.conformance.log import TRIP
from tests.policies.registry.conformance.memories import SNAPSHOT
from tests.policies.registry.conformance.versions import add

HOLDBACK = Holdback("support", "v1.0", 0.02, "x1", "salt", NOW)


async def life(registry: Registry) -> list[str]:
    """One of everything that is sealed; the actions that it must have left."""
    await add(registry)
    await registry.move("support", "v1.0", expected_revision=0, who="config", why="file", now=NOW)
    await registry.add_candidate(candidate())
    here = await registry.advance(candidate(), None, who="e", reason="", now=NOW, station="s", measured={"n": {1: 2}})
    await registry.advance(here, "pass", who="evolver", reason="gates", now=NOW)
    experiment = await opened(registry)
    await registry.close_experiment(experiment.id, "ROLL BACK", {"e": 120.5, "by": {10: 1, 9: 2}}, now=NOW + 7)
    await registry.set_holdback("support", HOLDBACK, now=NOW)
    await registry.set_holdback("support", None, now=NOW + 8)
    await registry.add_incident(TRIP)
    await registry.resolve_incident(TRIP.id, now=NOW + 9)
    await registry.add_memory(SNAPSHOT, b"content")
    return [
        *("version", "production", "candidate", "pass", "experiment", "verdict", "holdback", "holdback ended"),
        *("incident", "resolved", "memory"),
    ]


class TrailConformance(Conformance):
    async def test_each_decision_leaves_a_note_in_the_chain(self, registry: Registry, connect: Connect) -> None:
        expected = await life(registry)
        notes = await (await connect()).notes()
        assert [note.action for note in notes] == expected
        assert all(note.link for note in notes)
        assert first_broken(notes) is None

    async def test_a_note_seals_what_was_stored(self, registry: Registry) -> None:
        await life(registry)
        sealed = {note.action: note.detail.get("digest") for note in await registry.notes()}
        (version,), (experiment,) = await registry.versions("support"), await registry.experiments()
        (incident,), (memory,) = await registry.incidents(), await registry.memories("support")
        assert digest(memory) == sealed["memory"]
        assert digest(version) == sealed["version"]
        assert digest(await registry.candidate("c1")) == sealed["pass"]
        assert digest(experiment) == sealed["verdict"] != sealed["experiment"]
        assert digest(incident) == sealed["incident"]
        assert digest(replace(incident, summary="another")) != sealed["incident"]

    async def test_a_holdbacks_salt_outlives_its_row(self, registry: Registry) -> None:
        await life(registry)
        (note,) = [note for note in await registry.notes() if note.action == "holdback"]
        assert (note.at, note.subject, note.detail["salt"], note.detail["experiment"]) == (NOW, "v1.0", "salt", "x1")

    async def test_what_changes_nothing_leaves_no_note(self, registry: Registry) -> None:
        done = await life(registry)
        (experiment,) = await registry.experiments()
        await registry.close_experiment(experiment.id, "PROMOTE", {}, now=NOW)
        await registry.add_incident(replace(TRIP, summary="another"))
        await registry.resolve_incident(TRIP.id, now=NOW)
        await registry.set_holdback("support", None, now=NOW)
        assert not await registry.add_candidate(candidate("c2"))
        assert not await registry.add_memory(SNAPSHOT, b"other content")
        with pytest.raises(ConflictError):
            await registry.move("support", "v1.0", expected_revision=7, who="x", why="y", now=NOW)
        assert [note.action for note in await registry.notes()] == done

    async def test_any_change_of_the_trail_shows_where_it_is(self, registry: Registry) -> None:
        await life(registry)
        notes = await registry.notes()
        for n, note in enumerate(notes):
            assert first_broken([*notes[:n], replace(note, who="somebody else"), *notes[n + 1 :]]) == n
            if n + 1 < len(notes):
                assert first_broken([*notes[:n], *notes[n + 1 :]]) == n
        forged = Note(NOW, "support", "operator", "production", "v9.9")
        assert first_broken([*notes, forged]) == len(notes)

    async def test_the_chain_holds_over_many_writers(self, connect: Connect) -> None:
        registries = [await connect() for _ in range(3)]
        incidents = [Incident(f"i{n}", "p", "TRIP", NOW + n, "c", "s", {"n": n}) for n in range(12)]
        await asyncio.gather(*(registries[n % 3].add_incident(one) for n, one in enumerate(incidents)))
        notes = await registries[0].notes()
        assert len(notes) == 12
        assert first_broken(notes) is None
