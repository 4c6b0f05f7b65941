"""Several workers as one gateway: the same answers, whichever of them a connection reaches."""

import asyncio
import os
import signal
from pathlib import Path

import aiohttp
import pytest

from gateway.recording import verify_chain
from policies.errors import OperatorError
from tests.gateway.pipeline.scripted import DONE, END, STREAM, Visit, chunk, completion, delta, provider, whole
from tests.gateway.workers.conftest import Several, several

NOBODY = "0199e1a2-0000-7000-8000-000000000000"
UNITS = 60  # the candidate has its floor, 0.2: it gets none of them in one of 600,000 runs


async def test_conversations_feedback_and_the_admin_listener_know_no_workers(sandbox: str, tmp_path: Path) -> None:
    async with several(sandbox, tmp_path) as gateway:
        await gateway.canary("Answer briefly.")
        for turn in range(4):
            asked = [gateway.ask(f"turn {turn}", session=f"s{n}") for n in range(UNITS)]
            assert {status for status, _, _ in await asyncio.gather(*asked)} == {200}
        frames = gateway.frames("assignment")
        assert {frame["writer"] for frame in frames} == {"w0", "w1"}
        by_unit: dict[str, list[tuple[str, str, bool]]] = {}
        for frame in frames:
            by_unit.setdefault(frame["unit"], []).append((frame["arm"], frame["why"], frame["first"]))
        assert len({unit[0][0] for unit in by_unit.values()}) == 2, [unit[0] for unit in by_unit.values()]
        for (arm, why, first), *later in by_unit.values():
            assert (why, first) == ("draw", True)
            assert later == [(arm, "pin", False)] * 3
        assert len({tuple(map(tuple, frame["arms"])) for frame in frames if frame["first"]}) == 1, "one set of odds"

        said = [await gateway.feedback(request_id=frames[0]["id"], label="down") for _ in range(8)]
        assert [(status, body["counted"]) for status, body in said] == [(202, True)] + [(202, False)] * 7
        newest = (await gateway.ask("at last", session="s0"))[1]["x-evogate-request-id"]
        assert {(await gateway.feedback(session="s0", score=1.0))[1]["request_id"] for _ in range(4)} == {newest}
        assert (await gateway.feedback(request_id=NOBODY, score=1))[0] == 404

        numbers = await gateway.numbers()
        total = sum(value for name, value in numbers.items() if name.startswith("evogate_requests_total"))
        assert total == len(gateway.frames("outcome"))
        assert numbers["evogate_overhead_seconds_count"] == total
        assert numbers['evogate_worker_up{worker="w1"}'] == 1.0
        shown = await gateway.admin("status")
        assert shown["agreed"]
        assert [worker["worker"] for worker in shown["workers"]] == ["w0", "w1"]
        assert shown["feedback"]["remembered_requests"] == total
        assert (await gateway.admin("arms"))["arms"] == shown["arms"]

        await gateway.roll_back()
        again = [await gateway.ask("once more", session=f"s{n}") for n in range(UNITS)]
        assert {headers["x-evogate-genome"] for _, headers, _ in again} == {shown["arms"][0]["genome"]}, "pins break"


async def test_a_killed_worker_loses_nothing_and_comes_back(sandbox: str, tmp_path: Path) -> None:
    answered: set[str] = set()
    refused = 0
    over = asyncio.Event()

    async def load(gateway: Several, name: int) -> None:
        nonlocal refused
        for n in range(10_000):
            if over.is_set():
                return
            try:
                status, headers, _ = await gateway.ask(f"{name}/{n}", session=f"{name}/{n}")
            except aiohttp.ClientError:
                refused += 1  # its worker was killed with it in hand
                continue
            assert status == 200
            answered.add(headers["x-evogate-request-id"])

    async with several(sandbox, tmp_path) as gateway:
        clients = [asyncio.create_task(load(gateway, name)) for name in range(4)]
        await gateway.until(lambda: len(answered) > 40)
        victim = gateway.parent.members[1]
        before, pid = len(answered), victim.pid
        os.kill(pid, signal.SIGKILL)
        await gateway.until(lambda: len(answered) > before + 40)
        await gateway.until(lambda: victim.up and victim.pid != pid)
        written = len(gateway.frames("assignment"))
        await gateway.until(lambda: len(answered) > written + 40)
        over.set()
        await asyncio.gather(*clients)
        assert refused <= 8, "only what the killed worker had in hand, and what stood in its queue"
        assert victim.restarts == 1
        assert (await gateway.numbers())['evogate_worker_restarts_total{worker="w1"}'] == 1.0
        assert victim.ended == "was ended by SIGKILL"
    for kind in ("assignment", "outcome"):
        ids = [frame["id"] for frame in gateway.frames(kind)]
        assert len(ids) == len(set(ids))
        assert answered <= set(ids), "every answered request is on record"
    assert verify_chain(tmp_path / "home" / "spool" / "w1").flaws == []
    boots = {frame["writer"] for frame in gateway.frames("assignment")}
    assert boots == {"w0", "w1"}


async def test_a_change_comes_into_force_in_all_workers_or_in_none(sandbox: str, tmp_path: Path) -> None:
    async with several(sandbox, tmp_path) as gateway:
        first, second = gateway.parent.members
        before = await gateway.arms()

        gateway.parent.check_timeout_s = 0.3
        os.kill(second.pid, signal.SIGSTOP)  # it can't say yes
        gateway.write("Answer in Latin.")
        status, body = await gateway.reload()
        assert (status, "w1" in body["error"]) == (422, True)
        os.kill(second.pid, signal.SIGCONT)
        assert await gateway.arms() == before

        gateway.parent.check_timeout_s = 10.0
        assert (await gateway.reload())[0] == 200
        after = await gateway.arms()
        assert after["w0"] == after["w1"] != before["w0"]
        assert {headers["x-evogate-version"] for _, headers, _ in [await gateway.ask(str(n)) for n in range(8)]} == {
            "v1.1"
        }

        gateway.config.write_text(gateway.config.read_text().replace('"assistant":{', '"assistant":{"modus":"x",'))
        status, body = await gateway.reload()
        assert (status, "modus" in body["error"]) == (422, True)
        os.kill(first.pid, signal.SIGKILL)
        await gateway.until(lambda: first.restarts == 1 and first.up)
        assert await gateway.arms() == after, "its successor begins with what is in force, not with what the file says"
        shown = (await gateway.admin("status"))["configuration"]
        assert (shown["reloads"], "modus" in shown["last_error"]) == (1, True)


async def test_the_end_waits_for_running_streams(tmp_path: Path) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def script(visit: Visit) -> None:
        if b"wait" not in visit.body:
            await visit.send(whole(completion()))
            return
        await visit.send(STREAM + chunk(delta("begun")))
        asked.set()
        await go.wait()
        await visit.send(chunk(delta(" and ended", "stop")) + chunk(DONE) + END)

    async with provider(script) as base:
        async with several(base, tmp_path) as gateway:
            body = {"model": "sandbox-large", "messages": [{"role": "user", "content": "wait"}], "stream": True}
            answer = await gateway.http.post(f"{gateway.url}/v1/chat/completions", json=body)
            await asked.wait()
            ending = asyncio.create_task(gateway.parent._stop())
            await gateway.until(lambda: sum(member.up for member in gateway.parent.members) == 1)
            assert (await gateway.ask("too late"))[0] == 503
            go.set()
            text = await answer.text()
            answer.release()
            await ending
            assert text.endswith("[DONE]\n\n")
        (outcome,) = gateway.frames("outcome")
        assert (outcome["failure"], outcome["status"]) == (None, 200)


async def test_a_start_that_is_refused_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="own listener"):
        async with several("http://127.0.0.1:18123/v1", tmp_path, port=18123):
            pass


async def test_a_worker_that_hangs_is_killed_and_its_recordings_go_on(sandbox: str, tmp_path: Path) -> None:
    async with several(sandbox, tmp_path, hang_s=1.0) as gateway:
        first, second = gateway.parent.members
        for n in range(20):
            await gateway.ask(str(n))
        os.kill(second.pid, signal.SIGSTOP)  # alive for the kernel, which goes on giving it clients
        await gateway.until(lambda: second.restarts == 1 and second.up)
        assert second.ended == "was ended by SIGKILL"
        assert first.restarts == 0, "one that answers is left alone"
        serving: set[str] = set()
        while serving != {"w0", "w1"}:  # its successor is up a moment before it listens
            answers = await asyncio.gather(*(gateway.ask(f"then {n}") for n in range(20)))
            assert {status for status, _, _ in answers} == {200}
            serving = {frame["writer"] for frame in gateway.frames("assignment")[-20:]}
    assert verify_chain(tmp_path / "home" / "spool" / "w1").flaws == []
