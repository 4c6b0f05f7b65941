"""News reach the receiver signed; a receiver that fails is tried again and never waited for."""

import asyncio
import hmac
import time

import orjson
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from config.settings import Evolver
from evolver.news import News
from evolver.webhook import ATTEMPTS, SIGNATURE, Webhook
from policies.registry.values import Incident
from tests.evolver.support import POLICY, World


class Receiver:
    def __init__(self, statuses: list[int]) -> None:
        self.statuses = statuses
        self.got: list[tuple[bytes, str | None]] = []
        self.enough = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((await request.read(), request.headers.get(SIGNATURE)))
        status = self.statuses[min(len(self.got), len(self.statuses)) - 1]
        if status < 300 or len(self.got) == ATTEMPTS:
            self.enough.set()
        return web.Response(status=status)

    def server(self) -> TestServer:
        app = web.Application()
        app.router.add_post("/hook", self.take)
        return TestServer(app)


def settings(server: BaseTestServer, secret: str | None = None) -> Evolver:
    return Evolver.model_validate({"webhook": str(server.make_url("/hook")), "webhook_secret": secret})


async def test_news_are_signed(world: World) -> None:
    receiver = Receiver([200])
    async with receiver.server() as server, Webhook(settings(server, "s3cret")) as webhook:
        webhook.send("promotion", POLICY, 12.5, {"version": "v1.1"})
        await asyncio.wait_for(receiver.enough.wait(), 5)
    ((body, signature),) = receiver.got
    assert orjson.loads(body) == {"event": "promotion", "policy": POLICY, "at": 12.5, "version": "v1.1"}
    assert signature == "sha256=" + hmac.new(b"s3cret", body, "sha256").hexdigest()


async def test_a_failing_receiver_is_tried_again() -> None:
    receiver = Receiver([500, 503, 204])
    async with receiver.server() as server, Webhook(settings(server), pause_s=0.001) as webhook:
        webhook.send("incident", POLICY, 0.0, {})
        await asyncio.wait_for(receiver.enough.wait(), 5)
        assert webhook.failures == 0
    assert len(receiver.got) == 3
    assert receiver.got[0][1] is None


async def test_a_receiver_that_stays_broken_is_given_up() -> None:
    receiver = Receiver([500])
    async with receiver.server() as server, Webhook(settings(server), pause_s=0.001) as webhook:
        began = time.monotonic()
        webhook.send("incident", POLICY, 0.0, {})
        assert time.monotonic() - began < 0.05
        await asyncio.wait_for(receiver.enough.wait(), 5)
        await asyncio.wait(webhook._tasks, timeout=5)
        assert webhook.failures == 1
    assert len(receiver.got) == ATTEMPTS


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
