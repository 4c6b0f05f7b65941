"""What can go wrong around the server: each time one line that names it and the remedy, and nothing half done."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import AwayError, OperatorError
from policies.registry import connection, open_registry
from policies.registry.postgres import PostgresRegistry
from policies.registry.postgres_connection import LOCK, translated
from policies.registry.postgres_text import escaped, unescaped
from policies.registry.queries import migrations
from policies.registry.trail import first_broken
from tests.policies.registry.conformance.base import NOW, ROOT, candidate
from tests.policies.registry.server import Server, running


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """A database of this test's own, without anything in it."""
    postgres.ask("CREATE DATABASE other")
    try:
        yield postgres.url("other")
    finally:
        postgres.ask("DROP DATABASE other WITH (FORCE)")


@pytest.fixture
async def registry(url: str) -> AsyncIterator[PostgresRegistry]:
    async with PostgresRegistry(url) as opened:
        yield opened


async def fails_to_open(url: str, match: str) -> None:
    with pytest.raises(OperatorError, match=match) as caught:
        async with PostgresRegistry(url, timeout_s=2.0):
            pass
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_a_url_that_is_none() -> None:
    for url in ("postgresql://u:hunter2@[::1/x", "postgresql://u:hunter2@h/x?colour=red"):
        await fails_to_open(url, r"registry\.url: .*postgresql://user:")


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    await fails_to_open(f"postgresql://u:hunter2@/x?host={tmp_path}", "postgresql://u@.*/x: it can't be reached; start")


async def test_a_database_that_is_not_there(postgres: Server) -> None:
    await fails_to_open(postgres.url("absent"), "/absent: there is no such database; create it with `createdb`")


async def test_a_user_that_is_not_known(postgres: Server) -> None:
    await fails_to_open(postgres.url(user="nobody:hunter2"), "nobody@.*access is denied; check user and password")


async def test_a_database_of_another_program(postgres: Server, database: str) -> None:
    postgres.ask("CREATE TABLE versions (x int)", database="other")
    await fails_to_open(database, "another program; name another database in registry.url")


async def test_a_newer_schema(postgres: Server, database: str) -> None:
    async with PostgresRegistry(database):
        pass
    postgres.ask("UPDATE evogate_registry SET schema_version = 999", database="other")
    await fails_to_open(database, "newer EvoGate .schema 999.*upgrade")


async def test_another_encoding(postgres: Server) -> None:
    postgres.ask("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    await fails_to_open(postgres.url("latin"), "encoding is LATIN1; create it with `createdb -E UTF8`")


async def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "policies.registry.postgres")
    monkeypatch.setitem(sys.modules, "policies.registry.postgres_connection", None)
    with pytest.raises(OperatorError, match=r"pip install 'evogate\[postgres\]'"):
        open_registry(tmp_path, "postgresql://h/x")


async def test_connections_that_open_a_new_database_together_migrate_it_once(database: str) -> None:
    registries = [PostgresRegistry(database) for _ in range(6)]
    await asyncio.gather(*(registry.__aenter__() for registry in registries))
    try:
        assert {await registry.changed() for registry in registries} == {0}
        assert {await registry._schema() for registry in registries} == {len(migrations("postgres"))}
    finally:
        for registry in registries:
            await registry.__aexit__()


async def test_a_migration_that_fails_changes_nothing(
    postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = "ALTER TABLE notes ADD COLUMN mood TEXT;\nALTER TABLE absent ADD COLUMN mood TEXT;"
    monkeypatch.setattr(connection, "migrations", lambda dialect: (*migrations(dialect), broken))
    with pytest.raises(OperatorError, match="absent"):
        async with PostgresRegistry(database):
            pass
    assert postgres.ask("SELECT 1 FROM pg_tables WHERE schemaname = 'public'", database="other") == []


async def test_a_registry_that_is_locked(postgres: Server, url: str) -> None:
    async with PostgresRegistry(url, timeout_s=0.2) as registry:
        with psycopg.connect(url) as holder:
            holder.execute(f"SELECT pg_advisory_xact_lock({LOCK})".encode())
            with pytest.raises(OperatorError, match="another process keeps it locked; find it in pg_stat_activity"):
                await registry.set_state("x", {})
            assert await registry.state("x") == {}, "reading needs no lock"
            await registry.put_totals([])
        await registry.set_state("x", {"n": 1})
        assert await registry.state("x") == {"n": 1}


async def test_a_read_only_server_reads_and_says_why_it_does_not_write(url: str, registry: PostgresRegistry) -> None:
    await registry.set_state("x", {"n": 1})
    async with PostgresRegistry(f"{url}&options=-cdefault_transaction_read_only%3Don") as standby:
        with pytest.raises(OperatorError, match="read-only, a standby perhaps; name the primary"):
            await standby.set_state("x", {"n": 2})
        assert await standby.state("x") == {"n": 1}


async def test_versions_can_not_be_updated_behind_the_port(registry: PostgresRegistry) -> None:
    await registry.add_version("p", candidate().genome, candidate().lineage, who="w", why="y", now=NOW)
    async with registry.writing() as db:
        with pytest.raises(psycopg.errors.RaiseException, match="immutable"):
            await db.execute("UPDATE versions SET why = 'z'")


async def test_a_connection_that_was_dropped_while_idle_is_not_missed(
    postgres: Server, registry: PostgresRegistry
) -> None:
    await registry.set_state("x", {"n": 1})
    postgres.disconnect()
    assert await registry.state("x") == {"n": 1}
    postgres.disconnect()
    await registry.set_state("x", {"n": 2})
    assert await registry.state("x") == {"n": 2}


async def test_a_connection_that_is_dropped_in_the_middle_leaves_nothing(
    postgres: Server, registry: PostgresRegistry
) -> None:
    async def cut_off() -> None:
        async with registry.writing() as db:
            await db.execute("INSERT INTO states (name, value) VALUES ('x', '{}')")
            postgres.disconnect()
            await db.execute("INSERT INTO states (name, value) VALUES ('y', '{}')")

    with pytest.raises(OperatorError, match="starting, stopping or has crashed"):
        await cut_off()
    assert await registry.fetch("SELECT * FROM states") == []
    await registry.set_state("x", {"n": 1})


async def test_a_server_that_is_killed_and_comes_back(postgres: Server, registry: PostgresRegistry) -> None:
    await registry.set_state("x", {"n": 1})
    postgres.stop("immediate")
    try:
        for _ in range(2):
            with pytest.raises(OperatorError, match="start the server"):
                await registry.state("x")
            with pytest.raises(OperatorError, match="start the server"):
                await registry.set_state("x", {"n": 2})
    finally:
        postgres.start()
    assert await registry.state("x") == {"n": 1}
    await registry.set_state("x", {"n": 3})
    assert await registry.state("x") == {"n": 3}


async def test_what_returned_before_the_server_was_killed_is_there(postgres: Server, url: str) -> None:
    command = [sys.executable, "-m", "tests.policies.registry.killed", url, "k"]
    returned = await asyncio.to_thread(_kill_server_after, postgres, command, 25)
    async with PostgresRegistry(url) as registry:
        rejected = {one.id for one in await registry.candidates() if one.state == "rejected"}
        assert returned <= rejected
        notes = await registry.notes(limit=10_000)
        assert len(rejected) == len(await registry.tombstones("support"))
        assert len(rejected) == sum(note.action == "fail" for note in notes)
        assert first_broken(notes) is None


def _kill_server_after(server: Server, command: list[str], lines: int) -> set[str]:
    """Run until `lines` lines came, kill the server, and return all that was printed."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        read = [process.stdout.readline() for _ in range(lines)]
        server.stop("immediate")
        read += process.stdout.readlines()
        process.kill()
    server.start()
    return {line.strip() for line in read if line.endswith("\n")}


@pytest.mark.parametrize("seed", range(3))
async def test_a_cancelled_write_is_whole_or_not_at_all(registry: PostgresRegistry, seed: int) -> None:
    rng = random.Random(seed)
    for round_ in range(25):
        policy = f"p{round_}"
        here = candidate(policy, policy=policy)
        await registry.add_candidate(here)
        write = asyncio.ensure_future(registry.advance(here, "fail", who="w", reason="r", now=NOW))
        await asyncio.wait([write], timeout=rng.uniform(0.0, 0.01))
        write.cancel()
        await asyncio.gather(write, return_exceptions=True)
        whole = (await registry.candidate(policy)).state == "rejected"
        assert [note.action for note in await registry.notes(policy)] == ["candidate", "fail"][: 1 + whole]
        assert len(await registry.tombstones(policy)) == int(whole)
    assert first_broken(await registry.notes()) is None


@pytest.mark.slow
async def test_a_server_that_hangs_is_given_up(postgres: Server, url: str) -> None:
    async with PostgresRegistry(url, timeout_s=0.5) as registry:
        ((pid,),) = postgres.ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'evogate'")
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(OperatorError, match="does not answer"):
                await registry.state("x")
            assert await registry.state("x") == {}, "over another connection"
        finally:
            os.kill(pid, signal.SIGCONT)


@given(st.text(alphabet="\0\x1a01aé"))
def test_any_text_comes_back_and_no_two_are_the_same(text: str) -> None:
    assert "\0" not in escaped(text)
    assert unescaped(escaped(text)) == text


async def test_marks_in_texts_come_back(registry: PostgresRegistry) -> None:
    reason = "\0 \x1a \x1a0 \x1a1 \0001"
    await registry.add_candidate(candidate(reason=reason))
    assert (await registry.candidate("c1")).reason == reason


def test_parameters_are_told_from_casts_and_times() -> None:
    assert translated("SELECT :a, x::int, '10:30', 5 % 2 WHERE b = :b") == (
        b"SELECT %(a)s, x::int, '10:30', 5 %% 2 WHERE b = %(b)s"
    )


async def test_one_opened_late_is_away_until_it_is_there(tmp_path: Path) -> None:
    with running() as server:
        server.stop()
        async with PostgresRegistry(server.url(), timeout_s=2.0, late=True) as late:
            for _ in range(2):
                with pytest.raises(AwayError, match="can't be reached; start the server"):
                    await late.changed()
            server.start()
            assert await late.add_candidate(candidate("c1")), "the schema came with the first write"
            server.stop("immediate")
            with pytest.raises(AwayError):
                await late.candidates()
            server.start()
            assert [found.id for found in await late.candidates()] == ["c1"]


@pytest.mark.parametrize("user", ["nobody:hunter2", None])
async def test_what_waiting_does_not_cure_is_not_away(postgres: Server, user: str | None) -> None:
    url = postgres.url(user=user) if user else postgres.url("absent")
    async with PostgresRegistry(url, late=True) as late:
        with pytest.raises(OperatorError) as caught:
            await late.changed()
    assert not isinstance(caught.value, AwayError)
