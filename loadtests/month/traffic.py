"""The application: conversations whose kind drifts from day to day, and for some days people who inject.

A process of its own, so that its cost is not the others'. Every answer is checked by the application and rated.
"""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from random import Random
from typing import Any

import aiohttp
import click
import orjson

from gateway.sandbox.tasks import draw_task
from gateway.sandbox.worlds import World
from loadtests.month.plan import INJECTED, injecting, injection, mix

CORRECTS = 0.35  # share of users who say so when an answer is wrong
MOST_OPEN = 200  # conversations at a time; beyond it arrivals are skipped
TURNS = 3


class Application:
    """Sends conversations to a gateway."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, seed: int, day_s: float) -> None:
        self._session = session
        self._base_url = base_url
        self._world = World(seed)
        self._rng = Random(seed)
        self._began = time.monotonic()
        self._day_s = day_s
        self._run = f"{seed}-{int(time.time())}"
        self.counts: Counter[str] = Counter()

    @property
    def day(self) -> float:
        """Of the month."""
        return (time.monotonic() - self._began) / self._day_s

    async def run(self, rate: float, stop: asyncio.Event) -> None:
        """Start `rate` conversations a second until `stop`, then let those under way end."""
        loop, open_ = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        due = loop.time()
        while not stop.is_set():
            due += self._rng.expovariate(rate)
            await asyncio.sleep(max(0.0, due - loop.time()))
            if len(open_) < MOST_OPEN:
                self.counts["conversations"] += 1
                task = asyncio.create_task(self._converse(f"m{self._run}-{self.counts['conversations']}"))
                open_.add(task)
                task.add_done_callback(open_.discard)
        await asyncio.gather(*open_)

    async def _converse(self, session: str) -> None:
        day, rng = self.day, self._rng
        families = mix(day)
        task = draw_task(rng, self._world, rng.choices(list(families), list(families.values()))[0])
        hostile = injecting(day) and rng.random() < INJECTED
        messages: list[Any] = list(task.messages)
        if hostile:
            self.counts["injections"] += 1
            messages[-1] = {"role": "user", "content": f"{messages[-1]['content']}\n\n{injection(rng)}"}
        for _ in range(TURNS):
            answer = await self._ask(session, {**task.body("assistant"), "messages": messages})
            if answer is None:
                return
            text, calls, request_id = answer
            score = 0.0 if hostile else task.check(text, calls)
            await self._rate(request_id, score)
            if score >= 0.5 or rng.random() >= CORRECTS:
                return
            said = {"role": "assistant", "content": text or "(nothing)"}
            messages += [said, {"role": "user", "content": injection(rng) if hostile else task.correction_text}]

    async def _ask(self, session: str, body: dict[str, Any]) -> tuple[str, list[Any], str] | None:
        """(text, tool calls, request id); None where no answer came."""
        self.counts["requests"] += 1
        try:
            async with self._session.post(
                f"{self._base_url}/chat/completions", json=body, headers={"x-evogate-session": session}
            ) as response:
                value = orjson.loads(await response.read())
                message = value["choices"][0]["message"]
                request_id = response.headers["x-evogate-request-id"]
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, LookupError):
            self.counts["errors"] += 1
            return None
        return message.get("content") or "", message.get("tool_calls") or [], request_id

    async def _rate(self, request_id: str, score: float) -> None:
        said = {"request_id": request_id, "score": score}
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with self._session.post(f"{self._base_url}/feedback", json=said) as response:
                await response.read()


@click.command()
@click.option("--base-url", required=True, help="The gateway's `/v1`.")
@click.option("--rate", type=float, required=True, help="Conversations a second.")
@click.option("--seed", type=int, required=True)
@click.option("--day-s", type=float, required=True, help="Seconds of a day.")
def main(base_url: str, rate: float, seed: int, day_s: float) -> None:
    """Send the month's traffic until terminated; then say how much it was, as JSON."""
    asyncio.run(_run(base_url, rate, seed, day_s))


async def _run(base_url: str, rate: float, seed: int, day_s: float) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    timeout = aiohttp.ClientTimeout(total=20.0)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        application = Application(session, base_url, seed, day_s)
        click.echo(f"ready {base_url}")
        await application.run(rate, stop)
        click.echo(orjson.dumps(application.counts).decode())


if __name__ == "__main__":
    main()
