"""Migrations bring old files up, wholly or not at all, and old rows still load."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from policies.genome import Genome
from policies.registry import SqliteRegistry, connection
from policies.registry.queries import migrations, queries
from policies.registry.sqlite_connection import statements

OLD = (Path(__file__).parent / "data" / "schema_1.sql").read_text("utf-8")
FAMILIES = ("audit", "candidates", "experiments", "leases", "log", "memories", "totals", "versions")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "registry.db"
    with sqlite3.connect(path) as db:
        db.executescript(OLD)
    db.close()
    return path


def columns(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table's columns, and the schema's version."""
    db = sqlite3.connect(path)
    try:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: db.execute(f"PRAGMA table_info({name})").fetchall() for name in sorted(names)}
        return found | {"version": db.execute("PRAGMA user_version").fetchall()}
    finally:
        db.close()


async def test_a_file_of_schema_1_still_loads(old: Path) -> None:
    async with SqliteRegistry(old) as registry:
        first, second = await registry.versions("support")
        pointer = await registry.production("support")
        (candidate,) = await registry.candidates()
        (experiment,) = await registry.experiments()
        assert (first.label, second.label, first.genome) == ("v1.0", "v1.1", Genome())
        assert [rule.text for rule in second.genome.prompt.rubric] == ["Say dates as 2025-01-31."]
        assert second.genome.content_hash == "a84cfcc82e8d895ee706a5f782275158"
        assert pointer is not None
        assert (pointer.version, pointer.revision) == ("v1.1", 2)
        assert (candidate.state, candidate.stations["shadow"]["pairs"]) == ("canary", 50)
        assert (experiment.ordinal, experiment.candidate) == (1, candidate.id)
        assert [stone.reason for stone in await registry.tombstones("support")] == ["twice as many failures"]
        assert [total.data for total in await registry.totals("evidence", experiment.id)] == [{"n": 12}]
        assert (await registry.state("freeze"))["frozen"] is False
        assert [len(rows) for rows in (await registry.incidents(), await registry.findings())] == [1, 1]
        assert [(note.action, note.link) for note in await registry.notes()] == [("pass", "")]
        assert [holdback.share for holdback in await registry.holdbacks()] == [0.02]


async def test_an_old_file_and_a_new_one_have_the_same_schema(old: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.db"
    for path in (old, fresh):
        async with SqliteRegistry(path):
            pass
    assert columns(old) == columns(fresh)
    assert columns(fresh)["version"] == [(len(migrations("sqlite")),)]


async def test_a_further_migration_keeps_the_rows(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    further = "ALTER TABLE candidates ADD COLUMN mood TEXT NOT NULL DEFAULT 'sunny';"
    monkeypatch.setattr(connection, "migrations", lambda dialect: (*migrations(dialect), further))
    async with SqliteRegistry(old) as registry:
        assert [one.state for one in await registry.candidates()] == ["canary"]
    assert columns(old)["version"] == [(len(migrations("sqlite")) + 1,)]


async def test_a_migration_that_fails_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = columns(old)
    broken = "ALTER TABLE notes ADD COLUMN mood TEXT;\nALTER TABLE absent ADD COLUMN mood TEXT;"
    monkeypatch.setattr(connection, "migrations", lambda dialect: (*migrations(dialect), broken))
    with pytest.raises(sqlite3.OperationalError, match="absent"):
        async with SqliteRegistry(old):
            pass
    assert columns(old) == before


async def test_connections_that_open_a_new_file_together_migrate_it_once(tmp_path: Path) -> None:
    registries = [SqliteRegistry(tmp_path / "registry.db", busy_timeout_s=30.0) for _ in range(6)]
    await asyncio.gather(*(registry.__aenter__() for registry in registries))
    try:
        assert {await registry.changed() for registry in registries} == {0}
    finally:
        for registry in registries:
            await registry.__aexit__()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_statement_is_one_statement(family: str) -> None:
    for name, text in queries(family).items():
        assert len(statements(text)) == 1, name


@pytest.mark.parametrize("family", FAMILIES)
def test_every_statement_has_a_caller(family: str) -> None:
    code = "".join(path.read_text("utf-8") for path in Path(connection.__file__).parent.rglob("*.py"))
    assert [name for name in queries(family) if f'"{name}"' not in code] == []


def test_a_trigger_is_one_statement() -> None:
    script = "-- why\nCREATE TRIGGER t BEFORE UPDATE ON x\nBEGIN\n  SELECT 1;\nEND;\nCREATE TABLE y (z);\n"
    assert [text.splitlines()[-1] for text in statements(script)] == ["END;", "CREATE TABLE y (z);"]
