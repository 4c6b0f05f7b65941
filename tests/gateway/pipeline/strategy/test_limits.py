"""Limits and preferences as genes, through a real gateway: each changes what is done with a request."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.pipeline.channels import Channel
from policies.intents import to_json
from tests.gateway.pipeline.conftest import running, settings
from tests.gateway.pipeline.scripted import Visit, completion, provider, whole
from tests.gateway.pipeline.strategy.conftest import MODELS, bench
from tests.gateway.pipeline.strategy.genes import by_turn
from tests.gateway.pipeline.test_intents import publish, taught

JSON = dict[str, Any]
LATE_S = 1.3


async def answered(home: Path, strategy: JSON) -> tuple[int, str]:
    """Status and reason where the provider takes its time."""

    async def late(visit: Visit) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LATE_S):
                await visit.gone()
                return
        await visit.send(whole(completion()))

    async with provider(late) as url:
        config = settings(url, {"genome": {"strategy": {"model_key": "large", **strategy}}}, models=MODELS)
        async with running(config, home) as gateway:
            status, headers, _ = await gateway.ask()
            assert bool(gateway.frames("outcome")[-1]["failure"]) == (status != 200)
            return status, headers.get("x-evogate-error", "")


async def asked_again(home: Path, strategy: JSON) -> tuple[int, int]:
    """Status and attempts where the provider fails once."""
    async with bench(home, strategy, by_turn("500", "fine")) as found:
        status, _, _ = await found.gateway.ask()
        return status, found.outcome["attempts"]


async def at_a_time(home: Path, strategy: JSON) -> int:
    """The most calls that the provider had at a time, of four requests."""
    there = most = 0

    async def script(visit: Visit) -> None:
        nonlocal there, most
        there += 1
        most = max(most, there)
        await asyncio.sleep(0.02)
        there -= 1
        await visit.send(whole(completion()))

    async with provider(script) as url:
        config = settings(url, {"genome": {"strategy": {"model_key": "large", **strategy}}}, models=MODELS)
        async with running(config, home) as gateway:
            answers = await asyncio.gather(*(gateway.ask(f"question {n}") for n in range(4)))
            assert [status for status, _, _ in answers] == [200] * 4
            return most


async def models_asked(home: Path, strategy: JSON) -> list[str]:
    """Who got a request of a known intent, and one of none."""
    async with bench(home, strategy, by_turn("fine")) as found:
        await publish(found.gateway, to_json(taught("invoice", "invoices")))
        await found.gateway.ask("please read my invoice")
        await found.gateway.ask("hello there")
        routing = [frame["routing"] for frame in found.gateway.frames("assignment")]
        expected = {"key": "small", "intent": "invoices"} if "intent_models" in strategy else None
        assert routing == [expected, None]
        return [body["model"] for body in found.sent]


# Gene -> its value, what is looked at, what that is without the gene and with it.
LIMITS: dict[str, tuple[Any, Callable[[Path, JSON], Awaitable[Any]], Any, Any]] = {
    "timeout_s": (1.0, answered, (200, ""), (504, "timeout_total")),
    "first_byte_timeout_s": (0.5, answered, (200, ""), (504, "timeout_first_byte")),
    "retries": (1, asked_again, (500, 1), (200, 2)),
    "max_in_flight": (1, at_a_time, 4, 1),
    "intent_models": ({"invoices": "small"}, models_asked, ["sandbox-large"] * 2, ["sandbox-small", "sandbox-large"]),
}


@pytest.mark.parametrize("gene", LIMITS)
async def test_a_gene_shows_in_what_is_done(gene: str, tmp_path: Path) -> None:
    value, look, without, given = LIMITS[gene]
    assert await look(tmp_path / "without", {}) == without
    assert await look(tmp_path / "with", {gene: value}) == given


async def test_a_full_channel_refuses_at_once_and_serves_again(tmp_path: Path) -> None:
    release, there = asyncio.Event(), asyncio.Event()

    async def script(visit: Visit) -> None:
        there.set()
        await release.wait()
        await visit.send(whole(completion()))

    async with provider(script) as url:
        config = settings(
            url,
            {"genome": {"strategy": {"model_key": "large", "max_in_flight": 1}}},
            models=MODELS,
            upstreams={"sandbox": {"base_url": url, "queue": 0}},
        )
        async with running(config, tmp_path) as gateway:
            first = asyncio.create_task(gateway.ask("first"))
            await there.wait()
            gateway.worker.rebuild()
            status, headers, _ = await gateway.ask("second")
            assert (status, headers["x-evogate-error"]) == (503, "channel_full"), "another epoch, the same channel"
            release.set()
            assert (await first)[0] == 200
            assert (await gateway.ask("third"))[0] == 200


async def test_who_waits_and_hangs_up_leaves_no_gap(tmp_path: Path) -> None:
    release, there = asyncio.Event(), asyncio.Event()

    async def script(visit: Visit) -> None:
        there.set()
        await release.wait()
        await visit.send(whole(completion()))

    async with provider(script) as url:
        config = settings(url, {"genome": {"strategy": {"model_key": "large", "max_in_flight": 1}}}, models=MODELS)
        async with running(config, tmp_path) as gateway:
            route = gateway.core.epoch.policies["assistant"].production.default.target.route
            assert isinstance(route, Channel)
            first = asyncio.create_task(gateway.ask("first"))
            await there.wait()
            waiting = [asyncio.create_task(gateway.ask(f"waits {n}")) for n in range(2)]
            await gateway.until(lambda: route.admission.waiting == 2)
            waiting[0].cancel()
            await gateway.until(lambda: route.admission.waiting == 1)
            release.set()
            assert (await first)[0] == (await waiting[1])[0] == 200
            assert route.admission.available(gateway.core.loop.time())


async def test_without_the_gene_there_is_no_channel(tmp_path: Path) -> None:
    async with bench(tmp_path, {}, by_turn("fine")) as found:
        arm = found.gateway.core.epoch.policies["assistant"].production
        assert type(arm.default.target.route) is not Channel
        assert (arm.open, arm.timeouts) == (None, None)
        assert arm.rules is found.gateway.core.epoch.policies["assistant"].settings.resilience


async def test_a_preferred_model_that_is_gone_leaves_the_arm_out(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"intent_models: 'gone' is not defined"):
        settings("http://127.0.0.1:1/v1", {"genome": {"strategy": {"intent_models": {"a": "gone"}}}})
