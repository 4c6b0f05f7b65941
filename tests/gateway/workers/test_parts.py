"""The pieces that a gateway of several workers is made of, each by itself."""

import asyncio
import contextlib
import socket
from typing import Any

import orjson
import pytest

from config.settings import Settings
from gateway.admin.exposition import exposition
from gateway.admin.families import counter, from_json, gauge, histogram, merged, to_json
from gateway.admin.together import together
from gateway.pipeline.metrics import Histogram
from gateway.workers import member as member_module
from gateway.workers.address import reserve
from gateway.workers.channel import Channel, ChannelError
from gateway.workers.member import Member
from gateway.workers.portion import portion
from policies.errors import OperatorError

# -- the channel -----------------------------------------------------------------------------------------------------


async def _answer(verb: str, arguments: dict[str, Any]) -> Any:
    if verb == "refuse":
        raise OperatorError("not like this")
    if verb == "fail":
        raise KeyError("here")
    if verb == "hang":
        await asyncio.Event().wait()
    return {"verb": verb, **arguments}


async def _pair() -> tuple[Channel, Channel]:
    ours, theirs = socket.socketpair()
    return await Channel.open(ours, _answer), await Channel.open(theirs, _answer)


async def test_both_ends_ask_and_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", logger="evogate")
    one, other = await _pair()
    answers = await asyncio.gather(*(end.ask("say", text="ä" * n) for n in range(50) for end in (one, other)))
    assert [len(answer["text"]) for answer in answers] == [n for n in range(50) for _ in range(2)]
    with pytest.raises(OperatorError, match="not like this"):
        await one.ask("refuse")
    with pytest.raises(ChannelError, match="KeyError"):
        await one.ask("fail")
    with pytest.raises(ChannelError, match=r"within 0\.01 s"):
        await one.ask("hang", timeout_s=0.01)
    waiting = asyncio.create_task(one.ask("hang", timeout_s=None))
    await one.ask("say")
    await other.close()
    with pytest.raises(ChannelError, match="gone"):
        await waiting
    await one.closed.wait()
    with pytest.raises(ChannelError, match="nobody"):
        await one.ask("say")
    await one.close()


# -- a worker that does not start ------------------------------------------------------------------------------------


async def test_a_worker_that_dies_at_start_again_and_again_ends_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL", logger="evogate")
    monkeypatch.setattr(member_module, "STARTS", 3)
    monkeypatch.setattr(member_module, "FIRST_PAUSE_S", 0.001)
    begun = []

    async def begin(starting: Member) -> None:
        begun.append(starting.pid)
        starting.kill()
        await starting.told_to_start()

    member = Member("w7", begin, lambda *_: _nothing(), lambda _: None, hang_s=lambda: 30.0)
    with pytest.raises(
        OperatorError, match="worker w7 did not start 3 times in a row; the last time it was ended by SIG"
    ):
        await member.start()
    assert len(set(begun)) == 3
    await member.stop(0.0)


async def _nothing() -> None:
    return None


# -- the address -----------------------------------------------------------------------------------------------------


def test_an_address_is_one_gateways_and_its_workers() -> None:
    with contextlib.ExitStack() as held, contextlib.ExitStack() as second:
        port = reserve("127.0.0.1", 0, held)
        with pytest.raises(OperatorError, match=f"can't listen on 127.0.0.1:{port}"):
            reserve("127.0.0.1", port, second)
        for _ in range(2):
            worker = held.enter_context(socket.socket())
            worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            worker.bind(("127.0.0.1", port))
            worker.listen()
        with pytest.raises(OperatorError, match="--port"):
            reserve("127.0.0.1", port, second)
    with contextlib.ExitStack() as again:
        assert reserve("127.0.0.1", port, again) == port


def test_a_name_with_several_addresses_gets_one_port() -> None:
    with contextlib.ExitStack() as held:
        assert reserve("localhost", 0, held) > 0


# -- portions --------------------------------------------------------------------------------------------------------


def test_workers_share_what_the_gateway_may_use() -> None:
    values: dict[str, Any] = {
        "upstreams": {"u": {"base_url": "http://x", "max_connections": 10, "max_concurrency": 3, "queue": 0}},
        "policies": {
            "p": {
                "shadow": {"usd_per_day": 3.0, "concurrency": 1},
                "resilience": {"retry_budget": {"ratio": 0.1, "per_s": 2.0, "burst": 10.0}},
            },
            "q": {"resilience": {"retry_budget": {"burst": 2.0}}},
        },
        "gateway": {"mirror_concurrency": 0, "limits": {"connections": 100}},
    }
    found = portion(Settings.model_validate(values), 4)
    upstream, shadow = found.upstreams["u"], found.policies["p"].shadow
    assert (upstream.max_connections, upstream.max_concurrency, upstream.queue) == (3, 1, 0)
    assert (shadow.usd_per_day, shadow.concurrency) == (0.75, 1)
    budget = found.policies["p"].resilience.retry_budget
    assert (budget.ratio, budget.per_s, budget.burst) == (0.1, 0.5, 2.5), "each worker's requests pay into its own"
    assert found.policies["q"].resilience.retry_budget.burst == 1.0
    assert (found.gateway.mirror_concurrency, found.gateway.limits.connections) == (0, 25)
    assert portion(Settings.model_validate(values), 1) == Settings.model_validate(values)


# -- numbers and states ----------------------------------------------------------------------------------------------


def _numbers(requests: float, ready: float, seconds: float) -> list[Any]:
    times = Histogram((0.1, 1.0))
    times.observe(seconds)
    families = [
        counter("evogate_requests", "Requests.", ("role",), {("production",): requests}),
        gauge("evogate_ready", "Ready.", ready, merge="least"),
        gauge("evogate_share_ratio", "Share.", {("a",): ready / 2}, labels=("arm",), merge="mean"),
        histogram("evogate_seconds", "Time.", (), {(): times}),
    ]
    sent: list[Any] = orjson.loads(orjson.dumps(to_json(families)))
    return sent


def test_numbers_of_workers_become_those_of_one() -> None:
    text = exposition(merged([from_json(_numbers(3, 1, 0.05)), from_json(_numbers(4, 0, 0.5))])).decode()
    shown = [line for line in text.splitlines() if not line.startswith("#")]
    assert shown == [
        'evogate_requests_total{role="production"} 7.0',
        "evogate_ready 0.0",
        'evogate_share_ratio{arm="a"} 0.25',
        'evogate_seconds_bucket{le="0.1"} 1.0',
        'evogate_seconds_bucket{le="1.0"} 2.0',
        'evogate_seconds_bucket{le="+Inf"} 2.0',
        "evogate_seconds_count 2.0",
        "evogate_seconds_sum 0.55",
    ]


def test_a_state_is_as_bad_as_the_worst_workers() -> None:
    assert together({})["ready"] is False
    states = {"w0": _state("CLEAR", "a", ready=True), "w1": _state("TRIP", "b", ready=False)}
    found = together(states)
    assert (found["ready"], found["agreed"], found["deciding"]) == (False, False, True)
    assert [run["verdict"] for run in found["experiments"]] == ["TRIP"]
    assert found["spool"]["lost_frames"] == 4
    assert found["spool"]["positions"] == {"w0": [1, 2], "w1": [1, 2]}
    assert found["fell_open"]["counts"] == {"render": 2}
    assert together({"w0": states["w0"], "w1": states["w0"]})["agreed"]
    assert found["registry"] == {"joined": True, "last_seen_at": None}
    states["w1"]["registry"] = {"joined": False, "last_seen_at": 5.0}
    assert together(states)["registry"] == {"joined": False, "last_seen_at": 5.0}


def _state(verdict: str, genome: str, *, ready: bool) -> dict[str, Any]:
    numbers = dict.fromkeys(("waiting_bytes", "lost_frames", "failed_writes", "retired_segments", "upkeep_faults"), 2)
    return {
        "ready": ready,
        "registry": {"joined": True, "last_seen_at": None},
        "epoch": 3,
        "frozen": False,
        "deciding": True,
        "arms": [{"policy": "p", "role": "production", "genome": genome}],
        "policies": {},
        "experiments": [{"id": "e", "verdict": verdict}],
        "outages": {},
        "spool": {"level": "kill_safe", "position": [1, 2], "recording": True, **numbers},
        "fell_open": {"counts": {"render": 1}, "last": {}},
        "feedback": {"remembered_requests": 1},
    }
