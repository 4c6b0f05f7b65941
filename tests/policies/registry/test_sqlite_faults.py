"""What can go wrong around the file: each time one line that names it and the remedy, and nothing half done."""

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from policies.errors import OperatorError
from policies.registry import SqliteRegistry, open_registry
from policies.registry.sqlite_connection import APPLICATION_ID
from policies.registry.trail import first_broken
from tests.policies.registry.conformance.base import NOW, ROOT, candidate
from tests.policies.registry.conformance.log import FINDING


async def fails_to_open(path: Path, match: str, **options: float) -> None:
    with pytest.raises(OperatorError, match=match) as caught:
        async with SqliteRegistry(path, **options):  # type: ignore[arg-type]
            pass
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    path.write_text("policies:\n  support: {}\n" * 100)
    await fails_to_open(path, "not an SQLite database")
    assert path.read_text().startswith("policies:")


async def test_a_database_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE versions (x)")
    other.close()
    await fails_to_open(path, "another program")


async def test_a_newer_schema(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    with sqlite3.connect(path) as newer:
        newer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        newer.execute("PRAGMA user_version = 999")
    newer.close()
    await fails_to_open(path, "newer EvoGate .schema 999.*upgrade")


async def test_a_missing_folder(tmp_path: Path) -> None:
    await fails_to_open(tmp_path / "absent" / "registry.db", "folder exists")


async def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    await fails_to_open(tmp_path, "can't be opened")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_read_only_folder(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o500)
    await fails_to_open(tmp_path / "registry.db", "folder")


async def test_a_read_only_database_reads_and_says_why_it_does_not_write(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    async with SqliteRegistry(path) as registry:
        await registry.set_state("x", {"n": 1})
        await registry.fetch("PRAGMA query_only = 1")
        with pytest.raises(OperatorError, match="read-only; make the file and its folder writable"):
            await registry.set_state("x", {"n": 2})
        assert await registry.state("x") == {"n": 1}


async def test_a_locked_database(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    async with SqliteRegistry(path, busy_timeout_s=0.05) as registry:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        try:
            with pytest.raises(OperatorError, match="another process keeps it locked"):
                await registry.set_state("x", {})
            with pytest.raises(OperatorError, match="another process keeps it locked"):
                await registry.changed()
            await fails_to_open(path, "locked", busy_timeout_s=0.05)
        finally:
            holder.close()
        await registry.set_state("x", {"n": 1})
        assert await registry.state("x") == {"n": 1}


async def test_a_full_disk_leaves_the_old_state(tmp_path: Path) -> None:
    async with SqliteRegistry(tmp_path / "registry.db") as registry:
        await registry.set_state("small", {"n": 1})
        (pages,) = await registry.fetch("PRAGMA page_count")
        await registry.fetch(f"PRAGMA max_page_count = {pages['page_count']}")
        with pytest.raises(OperatorError, match="disk is full"):
            await registry.set_state("large", {"text": "x" * 100_000})
        assert await registry.state("small") == {"n": 1}
        assert await registry.state("large") == {}


async def test_a_damaged_database(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    async with SqliteRegistry(path) as registry:
        await registry.add_candidate(candidate())
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(OperatorError, match="damaged"):
        async with SqliteRegistry(path) as registry:
            await registry.candidates()


async def test_a_genome_of_a_newer_evogate_is_refused_not_misread(tmp_path: Path) -> None:
    async with SqliteRegistry(tmp_path / "registry.db") as registry:
        await registry.add_candidate(candidate())
        async with registry.writing() as db:
            await db.execute("""UPDATE candidates SET genome = '{"prompt":{"mood":"sunny"}}'""")
        with pytest.raises(OperatorError, match=r"genome of a candidate of policy 'support'.*[Uu]pgrade"):
            await registry.candidates()


async def test_versions_can_not_be_updated_behind_the_port(tmp_path: Path) -> None:
    async with SqliteRegistry(tmp_path / "registry.db") as registry:
        await registry.add_version("p", candidate().genome, candidate().lineage, who="w", why="y", now=NOW)
        with pytest.raises(sqlite3.IntegrityError, match="immutable"):
            async with registry.writing() as db:
                await db.execute("UPDATE versions SET why = 'z'")


async def test_commits_are_synced_and_the_journal_is_no_write_ahead_log(tmp_path: Path) -> None:
    async with SqliteRegistry(tmp_path / "registry.db") as registry:
        pragmas = [(await registry.fetch(f"PRAGMA {name}"))[0][name] for name in ("journal_mode", "synchronous")]
    assert pragmas == ["truncate", 2]


async def test_a_write_that_changed_nothing_does_not_show(tmp_path: Path) -> None:
    async with open_registry(tmp_path) as registry:
        await registry.add_candidate(candidate())
        await registry.set_state("x", {"n": 1})
        before = await registry.changed()
        await registry.add_candidate(candidate("c2"))
        await registry.set_state("x", {"n": 1})
        await registry.set_holdback("absent", None, now=NOW)
        assert await registry.changed() == before


async def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    async with open_registry(tmp_path) as registry:
        unstorable = FINDING.__class__("f2", "p", "k", NOW, 0.5, "s", "r", {"x": object()})
        before = await registry.changed()
        with pytest.raises(TypeError):
            await registry.add_findings([FINDING, unstorable])
        assert await registry.findings() == []
        assert await registry.changed() == before


async def test_a_write_cancelled_at_any_await_is_whole_or_absent(tmp_path: Path) -> None:
    whole = []
    async with open_registry(tmp_path) as registry:
        for steps in range(40):
            policy = f"p{steps}"
            here = candidate(policy, policy=policy)
            await registry.add_candidate(here)
            write = asyncio.ensure_future(registry.advance(here, "fail", who="w", reason="r", now=NOW))
            for _ in range(steps):
                await _step()
            write.cancel()
            await asyncio.gather(write, return_exceptions=True)
            whole.append((await registry.candidate(policy)).state == "rejected")
            noted = [note.action for note in await registry.notes(policy)]
            assert noted == ["candidate", "fail"][: 1 + whole[-1]]
            assert len(await registry.tombstones(policy)) == int(whole[-1])
        assert first_broken(await registry.notes()) is None
    assert (whole[0], whole[-1]) == (False, True)


async def _step() -> None:
    """Let the connection's thread finish what it was given, and the loop take one step."""
    await asyncio.to_thread(lambda: None)


def test_open_registry_makes_the_home_private(tmp_path: Path) -> None:
    registry = open_registry(tmp_path / "a" / "home")
    assert isinstance(registry, SqliteRegistry)
    assert registry.path == tmp_path / "a" / "home" / "registry.db"
    assert (tmp_path / "a" / "home").stat().st_mode & 0o077 == 0


def test_open_registry_says_what_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match="EVOGATE_HOME"):
        open_registry(tmp_path / "file" / "home")
    with pytest.raises(OperatorError, match="no registry; start `evogate up`"):
        open_registry(tmp_path, create=False)


async def test_a_registry_that_only_looks_makes_no_file(tmp_path: Path) -> None:
    await fails_to_open(tmp_path / "registry.db", "can't be opened", create=False)
    assert not (tmp_path / "registry.db").exists()


@pytest.mark.parametrize("seed", range(3))
async def test_what_returned_before_a_kill_is_there(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "registry.db"
    command = [sys.executable, "-m", "tests.policies.registry.killed", str(path), f"k{seed}"]
    returned = await asyncio.to_thread(_kill_after, command, random.Random(seed).randrange(1, 40))
    async with SqliteRegistry(path) as registry:
        rejected = {one.id for one in await registry.candidates() if one.state == "rejected"}
        assert returned <= rejected
        notes = await registry.notes(limit=10_000)
        assert len(rejected) == len(await registry.tombstones("support"))
        assert len(rejected) == sum(note.action == "fail" for note in notes)
        assert first_broken(notes) is None


def _kill_after(command: list[str], lines: int) -> set[str]:
    """Run until `lines` lines came, kill, and return all that it had printed whole."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        read = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        read += process.stdout.readlines()
    return {line.strip() for line in read if line.endswith("\n")}
