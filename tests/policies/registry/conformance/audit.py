"""Notes keep their order; named states are replaced whole; rule 6: `changed()`."""

from collections.abc import Awaitable, Callable

import pytest

from policies.genome import Genome, Lineage
from policies.registry import Registry
from policies.registry.values import Holdback, Note, Totals
from tests.policies.registry.conformance.base import NOW, Conformance, Connect, candidate
from tests.policies.registry.conformance.experiments import opened
from tests.policies.registry.conformance.log import FINDING, TRIP


def note(text: str, *, at: float = NOW, policy: str = "support") -> Note:
    return Note(at, policy, "operator", "approve", text, {"why": text})


async def _add_version(registry: Registry) -> object:
    return await registry.add_version("p", Genome(), Lineage(source="seed"), who="w", why="y", now=NOW)


async def _move(registry: Registry) -> object:
    pointer = await registry.production("support")
    revision = pointer.revision if pointer else 0
    return await registry.move("support", "v1.0", expected_revision=revision, who="w", why="y", now=NOW)


async def _advance(registry: Registry) -> object:
    return await registry.advance(await registry.candidate("here"), "pass", who="w", reason="", now=NOW)


async def _measure(registry: Registry) -> object:
    here = await registry.candidate("here")
    return await registry.advance(here, None, who="w", reason="", now=NOW, station="s", measured={})


async def _close(registry: Registry) -> object:
    (running,) = await registry.experiments(running=True)
    return await registry.close_experiment(running.id, "PROMOTE", {}, now=NOW)


WRITES: dict[str, Callable[[Registry], Awaitable[object]]] = {
    "add_version": _add_version,
    "move": _move,
    "add_candidate": lambda r: r.add_candidate(candidate("another", rule="another")),
    "advance": _advance,
    "measure": _measure,
    "open_experiment": opened,
    "close_experiment": _close,
    "set_holdback": lambda r: r.set_holdback("p", Holdback("p", "v1.0", 0.1, "x", "s", NOW), now=NOW),
    "add_incident": lambda r: r.add_incident(TRIP),
    "resolve_incident": lambda r: r.resolve_incident("open", now=NOW),
    "add_findings": lambda r: r.add_findings([FINDING]),
    "note": lambda r: r.note(note("x")),
    "set_state": lambda r: r.set_state("freeze", {"frozen": True}),
}


class AuditConformance(Conformance):
    async def test_notes_keep_the_order_of_their_writing(self, registry: Registry, connect: Connect) -> None:
        notes = [note("1", at=NOW), note("2", at=NOW - 9, policy="other"), note("3", at=NOW - 5), note("4", at=NOW)]
        other = await connect()
        for number, one in enumerate(notes):
            await (registry, other)[number % 2].note(one)
        assert await registry.notes() == notes
        assert await registry.notes("support") == [notes[0], notes[2], notes[3]]
        assert await registry.notes(limit=2) == notes[2:]
        assert await registry.notes("support", limit=1) == [notes[3]]

    async def test_a_state_that_was_never_set_is_empty(self, registry: Registry) -> None:
        assert await registry.state("freeze") == {}

    async def test_a_state_is_replaced_whole(self, registry: Registry, connect: Connect) -> None:
        await registry.set_state("freeze", {"frozen": True, "who": "operator"})
        await registry.set_state("trigger", {"at": 1.5})
        await registry.set_state("freeze", {"frozen": False})
        other = await connect()
        assert await other.state("freeze") == {"frozen": False}
        assert await other.state("trigger") == {"at": 1.5}

    @pytest.mark.parametrize("name", sorted(WRITES))
    async def test_a_write_shows_on_every_connection(self, registry: Registry, connect: Connect, name: str) -> None:
        await registry.add_version("support", Genome(), Lineage(source="seed"), who="w", why="y", now=NOW)
        await registry.add_candidate(candidate("here", rule="here"))
        await opened(registry)
        await registry.add_incident(TRIP.__class__("open", "p", "TRIP", NOW, "c", "s", {}))
        other = await connect()
        before = await registry.changed(), await other.changed()
        await WRITES[name](registry)
        after = await registry.changed(), await other.changed()
        assert before[0] == before[1]
        assert after[0] == after[1] != before[0]

    async def test_totals_do_not_show(self, registry: Registry) -> None:
        await registry.note(note("x"))
        before = await registry.changed()
        await registry.put_totals([Totals("evidence", "x1", "w0", 0, {}, NOW, NOW)])
        await registry.totals("evidence")
        assert await registry.changed() == before
