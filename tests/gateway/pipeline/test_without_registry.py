"""A gateway that starts while its PostgreSQL is away: it serves what it last saw, and joins when it is back."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from gateway.pipeline.last_seen import Keeper, LastSeen
from gateway.pipeline.snapshot import PolicySnapshot, Snapshot
from policies.errors import AwayError
from policies.genome import Lineage
from policies.registry import open_registry
from policies.registry.operations import start_canary
from policies.registry.values import Candidate, Experiment, Holdback, Pointer, Totals, Version
from tests.gateway.pipeline.conftest import Running, running, settings
from tests.gateway.pipeline.experiments import genome
from tests.policies.registry.server import Server
from tests.policies.registry.server import running as server_running

KINDER = genome("Answer very kindly.")
BRIEF = genome("Answer briefly.")
NEWER = {"prompt": {"rubric": "Answer newly."}, "strategy": {"model_key": "large"}}


@pytest.fixture
def server() -> Iterator[Server]:
    with server_running() as found:
        yield found


def fleet(base: str, server: Server, policy: dict[str, Any] | None = None, **gateway: Any) -> Settings:
    listeners = {"port": 0, "admin_port": 0, "poll_s": 0.05, **gateway}
    return settings(base, policy, registry={"url": server.url(), "node": "here"}, gateway=listeners)


async def promoted(server: Server, home: Path) -> None:
    """v1.1 in production and a canary beside it, made by others."""
    async with open_registry(home, server.url()) as registry:
        pointer = await registry.production("assistant")
        assert pointer is not None
        lineage = Lineage(source="operator")
        version = await registry.add_version("assistant", KINDER, lineage, who="t", why="t", now=2.0)
        revision = pointer.revision
        await registry.move("assistant", version.label, expected_revision=revision, who="t", why="t", now=2.0)
        candidate = Candidate("c1", "assistant", "prompt", BRIEF, "v1.1", Lineage(source="patch"), "proposed", 2.0, 2.0)
        await registry.add_candidate(candidate)
        await start_canary(registry, candidate, who="t", reason="t", counted=True, now=2.0)


async def status(gateway: Running) -> Any:
    async with gateway.http.get(f"{gateway.process.admin_url}/admin/status") as answer:
        return await answer.json()


async def starts(gateway: Running) -> tuple[float, float]:
    """(joined, starts without the registry), of `/metrics`."""
    async with gateway.http.get(f"{gateway.process.admin_url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    found = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return float(found["evogate_registry_joined"]), float(found["evogate_registry_absent_restarts_total"])


async def ask(gateway: Running, name: str, count: int) -> set[tuple[int, str]]:
    """(Status, version) of so many new conversations."""
    answers = [await gateway.ask("hello", headers={"x-evogate-session": f"{name}{n}"}) for n in range(count)]
    return {(code, headers["x-evogate-version"]) for code, headers, _ in answers}


async def rewards(server: Server, home: Path) -> float:
    """How many of this machine the registry counts, by all arms."""
    async with open_registry(home, server.url()) as registry:
        rows = await registry.totals("posterior")
    return float(sum(sum(row.data[""]) - 2.0 for row in rows if row.writer == "here.w0"))


async def test_it_serves_what_it_last_saw_and_joins(sandbox: str, tmp_path: Path, server: Server) -> None:
    async with running(fleet(sandbox, server), tmp_path) as gateway:
        assert await ask(gateway, "early", 10) == {(200, "v1.0")}
        await promoted(server, tmp_path)
        await gateway.until(lambda: len(gateway.core.epoch.policies["assistant"].drawn) == 2)
        assert await ask(gateway, "later", 30) == {(200, "v1.1")}
        assert await starts(gateway) == (1.0, 0.0)
        kept = tmp_path / "last-seen.here.w0.json"
        await gateway.until(lambda: '"c1"' in kept.read_text() if kept.exists() else False)
    told = await rewards(server, tmp_path)
    server.stop("immediate")

    changed = fleet(sandbox, server, {"genome": NEWER})
    async with running(changed, tmp_path) as gateway:
        assert kept.stat().st_mode & 0o777 == 0o600
        shown = await status(gateway)
        assert shown["registry"]["joined"] is False
        assert shown["registry"]["last_seen_at"] == pytest.approx(gateway.core.now(), abs=60)
        assert await starts(gateway) == (0.0, 1.0)
        assert {arm["candidate"] for arm in shown["arms"]} == {None, "c1"}, "the canary goes on"
        assert await ask(gateway, "away", 30) == {(200, "v1.1")}, "and not what the file says now"
        assert len(gateway.core.evidence.running) == 1

        server.start()
        await gateway.until(lambda: gateway.worker.started_from is None)
        assert (await status(gateway))["registry"] == {"joined": True, "last_seen_at": None}
        assert await starts(gateway) == (1.0, 1.0)
        await gateway.until(lambda: gateway.core.epoch.policies["assistant"].production.version == "v1.2")
        assert all(frame["reward"] is not None for frame in gateway.frames("outcome"))
    assert told == pytest.approx(10 + 30)
    assert await rewards(server, tmp_path) == pytest.approx(10 + 30 + 30), "none is lost, none counts twice"


async def test_without_having_seen_it_it_refuses(sandbox: str, tmp_path: Path, server: Server) -> None:
    server.stop()
    with pytest.raises(AwayError, match="can't be reached; start the server"):
        async with running(fleet(sandbox, server), tmp_path):
            pass
    (tmp_path / "last-seen.here.w0.json").write_text('{"schema": 1, "data')
    with pytest.raises(AwayError, match="can't be reached; start the server"):
        async with running(fleet(sandbox, server), tmp_path):
            pass


VERSION = Version("assistant", (1, 3), KINDER, Lineage(source="seed"), 1.0, "config", "first", {"n": 3})
ROWS = PolicySnapshot(
    versions=(VERSION,),
    pointer=Pointer("assistant", "v1.3", 4, 1.0, "t", "t"),
    candidates=(Candidate("c1", "assistant", "prompt", BRIEF, "v1.3", Lineage(source="patch"), "canary", 2.0, 2.0),),
    experiments=(Experiment("e1", "assistant", "c1", "v1.3", "salt", 1, 2.0),),
    holdback=Holdback("assistant", "v1.3", 0.05, "e1", "salt", 3.0),
    tombstones=frozenset({"aa", "bb"}),
    intents={"version": "1", "names": ["orders"]},
)
SEEN = LastSeen(
    5.0,
    Snapshot({"assistant": ROWS, "other": PolicySnapshot()}, frozen=True),
    (Totals("posterior", "assistant/aa", "w0", 0, {"": [2.0, 1.0]}, 4.0, 4.0),),
)
URL = "postgresql://evogate:hunter2@db.example/evogate"


async def test_what_is_kept_comes_back_whole(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, "w0", URL)
    assert keeper.found() is None
    assert keeper.due(SEEN.snapshot, 5.0)
    await keeper.keep(SEEN)
    assert keeper.found() == SEEN
    assert not keeper.due(SEEN.snapshot, 6.0)
    assert keeper.due(replace(SEEN.snapshot, frozen=False), 6.0), "news is kept at once"
    assert keeper.due(SEEN.snapshot, 16.0), "and the rest now and then"
    assert "hunter2" not in (tmp_path / "last-seen.w0.json").read_text()


async def test_the_newest_of_the_same_database_counts(tmp_path: Path) -> None:
    await Keeper(tmp_path, "w0", URL).keep(SEEN)
    await Keeper(tmp_path, "w1", URL).keep(replace(SEEN, at=7.0))
    (tmp_path / "last-seen.w2.json").write_text("{}")
    for same in (URL, URL.replace("hunter2", "another")):
        found = Keeper(tmp_path, "w3", same).found()
        assert found is not None
        assert found.at == 7.0
    assert Keeper(tmp_path, "w0", URL.replace("db.example", "elsewhere")).found() is None
    local = Keeper(tmp_path, "w0", None)
    assert not local.due(SEEN.snapshot, 99.0)
    assert local.found() is None
