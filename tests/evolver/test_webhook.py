"""News reach the receiver signed, once for each id; a receiver that fails is tried again and never waited for."""

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from config.evolving import Evolver
from evolver import webhook as module
from evolver.news import News
from evolver.webhook import ATTEMPTS, DELIVERY, SIGNATURE, TIMESTAMP, Webhook, signature, verify
from policies.errors import ClientError
from policies.registry.values import Incident
from tests.evolver.support import POLICY, World

SECRET = b"s3cret"


class Receiver:
    """Answers with these statuses in turn, the last one for ever after."""

    def __init__(self, statuses: list[int], headers: dict[str, str] | None = None) -> None:
        self.statuses = statuses
        self.headers = headers or {}
        self.got: list[tuple[bytes, dict[str, str]]] = []
        self.enough = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((await request.read(), {name.lower(): value for name, value in request.headers.items()}))
        status = self.statuses[min(len(self.got), len(self.statuses)) - 1]
        if status < 300 or len(self.got) == ATTEMPTS:
            self.enough.set()
        return web.Response(status=status, headers=self.headers)

    def server(self) -> TestServer:
        app = web.Application()
        app.router.add_post("/hook", self.take)
        return TestServer(app)


def settings(server: BaseTestServer, secret: str | None = None) -> Evolver:
    return Evolver.model_validate({"webhook": str(server.make_url("/hook")), "webhook_secret": secret})


async def delivered(
    receiver: Receiver, *, clock: Callable[[], float] = time.time, secret: str | None = "s3cret"
) -> Webhook:
    """One piece of news, until it was taken or given up."""
    async with (
        receiver.server() as server,
        Webhook(settings(server, secret), pause_s=0.001, clock=clock, rng=Random(1)) as hook,
    ):
        hook.send("promotion", POLICY, 12.5, {"version": "v1.1"})
        await asyncio.wait(hook._tasks, timeout=10)
    return hook


async def test_news_are_signed_with_their_id_and_time() -> None:
    receiver = Receiver([200])
    await delivered(receiver, clock=lambda: 1_760_000_000.9)
    ((body, headers),) = receiver.got
    assert orjson.loads(body) == {"event": "promotion", "policy": POLICY, "at": 12.5, "version": "v1.1"}
    assert headers[TIMESTAMP] == "1760000000"
    assert headers[SIGNATURE] == signature(SECRET, headers[DELIVERY], "1760000000", body)
    verify(SECRET, headers, body, now=1_760_000_001.0, seen=set[str]().__contains__)


async def test_without_a_secret_there_is_no_signature() -> None:
    receiver = Receiver([200])
    await delivered(receiver, secret=None)
    ((_, headers),) = receiver.got
    assert SIGNATURE not in headers
    assert DELIVERY in headers


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"body": b'{"event":"rollback"}'}, "does not fit"),
        ({DELIVERY: "another"}, "does not fit"),
        ({TIMESTAMP: "1760000001"}, "does not fit"),
        ({SIGNATURE: ""}, "does not fit"),
        ({"secret": b"another"}, "does not fit"),
        ({"now": 1_760_000_301.0}, "301 s old"),
        ({"now": 1_759_999_600.0}, "are the clocks right"),
        ({"seen": True}, "was taken before"),
    ],
)
async def test_a_receiver_refuses_what_is_forged_old_or_repeated(change: dict[str, Any], message: str) -> None:
    receiver = Receiver([200])
    await delivered(receiver, clock=lambda: 1_760_000_000.0)
    ((body, headers),) = receiver.got
    headers |= {name: value for name, value in change.items() if name in headers}
    with pytest.raises(ClientError, match=message):
        verify(
            change.get("secret", SECRET),
            headers,
            change.get("body", body),
            now=change.get("now", 1_760_000_000.0),
            seen=lambda _: change.get("seen", False),
        )


async def test_attempts_share_their_id_and_are_signed_anew() -> None:
    receiver, times = Receiver([500, 503, 204]), iter([100.0, 200.0, 300.0])
    hook = await delivered(receiver, clock=lambda: next(times))
    assert (len(receiver.got), hook.failures) == (3, 0)
    assert len({headers[DELIVERY] for _, headers in receiver.got}) == 1
    assert [headers[TIMESTAMP] for _, headers in receiver.got] == ["100", "200", "300"]
    assert len({headers[SIGNATURE] for _, headers in receiver.got}) == 3
    taken: set[str] = set()
    for now, (body, headers) in zip((100.0, 200.0), receiver.got, strict=False):
        if headers[DELIVERY] in taken:
            with pytest.raises(ClientError, match="was taken before"):
                verify(SECRET, headers, body, now=now, seen=taken.__contains__)
        taken.add(headers[DELIVERY])


async def test_a_receiver_that_stays_broken_is_given_up_and_never_waited_for() -> None:
    receiver = Receiver([500])
    async with receiver.server() as server, Webhook(settings(server), pause_s=0.001) as hook:
        hook.send("incident", POLICY, 0.0, {})
        assert not receiver.got
        assert len(hook._tasks) == 1
        await asyncio.wait(hook._tasks, timeout=5)
        assert hook.failures == 1
    assert len(receiver.got) == ATTEMPTS


@pytest.mark.parametrize("status", [400, 401, 404, 410, 307])
async def test_an_answer_that_is_final_is_not_asked_again(status: int) -> None:
    receiver = Receiver([status], {"location": "/elsewhere"})
    hook = await delivered(receiver)
    assert (len(receiver.got), hook.failures) == (1, 1)


async def test_pauses_grow_and_heed_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        if seconds:  # aiohttp yields with 0
            pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await delivered(Receiver([503]))
    assert len(pauses) == ATTEMPTS - 1
    assert all(0.0005 * 2**n <= pause <= 0.0015 * 2**n for n, pause in enumerate(pauses))
    pauses.clear()
    await delivered(Receiver([429, 503, 200], {"retry-after": "7"}))
    assert pauses == [7.0, 7.0]
    pauses.clear()
    await delivered(Receiver([503, 200], {"retry-after": "86400"}))
    assert pauses == [module.LONGEST_PAUSE_S]


async def test_a_receiver_that_hangs_up_is_tried_again() -> None:
    heard: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        config = Evolver.model_validate({"webhook": f"http://127.0.0.1:{port}/hook"})
        async with Webhook(config, pause_s=0.001) as hook:
            hook.send("incident", POLICY, 0.0, {})
            await asyncio.wait(hook._tasks, timeout=10)
    assert (len(heard), hook.failures) == (ATTEMPTS, 1)


async def test_incidents_that_others_wrote_are_told_once_and_old_ones_never(world: World) -> None:
    told: list[tuple[str, str]] = []
    world.webhook.send = lambda event, policy, at, detail: told.append((event, detail["id"]))  # type: ignore[method-assign]
    await add(world, "old", "TRIP")
    news = News()
    await news.look(world.context())
    await add(world, "one", "TRIP")
    await add(world, "two", "PROVIDER")
    await news.look(world.context())
    await news.look(world.context())
    assert told == [("rollback", "one"), ("incident", "two")]
    await add(world, "three", "SEVERE")
    await News().look(world.context())  # after a restart it goes on where it was
    assert told[2:] == [("rollback", "three")]


async def add(world: World, name: str, kind: str) -> None:
    incident = Incident(name, POLICY, kind, world.now, "c", "bad", {})  # type: ignore[arg-type]
    await world.registry.add_incident(incident)
