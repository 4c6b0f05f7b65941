"""What an application does: conversations through the official `openai` client, checked and rated by the application.

A process of its own (`python -m gateway.demo.traffic`), so that the client's cost never counts as the gateway's.
Conversations arrive on a schedule, whether or not earlier ones have ended.
"""

import asyncio
import random
import signal
import sys
from pathlib import Path
from typing import IO, Any

import click
import orjson
from openai import APIError, AsyncOpenAI

from gateway.sandbox.rules import Family
from gateway.sandbox.tasks import MIX, Task, draw_task, real_questions
from gateway.sandbox.worlds import World

MODEL = "assistant"
CORRECTS = 0.35  # share of users who say so when an answer is wrong
GOES_ON = 0.4  # share of users who ask something else after a good answer
MOST_OPEN = 256  # conversations at a time; beyond it arrivals are skipped and counted


class Source:
    """What the application asks: tasks of the sandbox's world, and real questions where there are any."""

    def __init__(self, seed: int, questions: Path | None) -> None:
        self._world = World(seed)
        self._rng = random.Random(seed)
        self._real = real_questions(questions, self._world) if questions else []

    def next(self, family: Family | None = None) -> Task:
        """A task of that family, or of one drawn from the application's mix."""
        wanted = family or self._rng.choices(list(MIX), list(MIX.values()))[0]
        if wanted == "choice" and self._real:
            return self._rng.choice(self._real)
        return draw_task(self._rng, self._world, wanted)


class Traffic:
    """Sends conversations and writes one line for each answer that it received whole."""

    def __init__(self, client: AsyncOpenAI, source: Source, rng: random.Random, answers: IO[bytes]) -> None:
        self._client = client
        self._source = source
        self._rng = rng
        self._answers = answers
        self._open: set[asyncio.Task[None]] = set()
        self.skipped = 0

    async def run(self, rate: float, stop: asyncio.Event) -> None:
        """Start `rate` conversations a second until `stop`, then let those under way end."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        number = 0
        while not stop.is_set():
            due += self._rng.expovariate(rate)
            await asyncio.sleep(max(0.0, due - loop.time()))
            if len(self._open) >= MOST_OPEN:
                self.skipped += 1
                continue
            number += 1
            conversation = asyncio.create_task(self._converse(f"demo-{number}"))
            self._open.add(conversation)
            conversation.add_done_callback(self._open.discard)
        await asyncio.gather(*self._open)

    async def _converse(self, session: str) -> None:
        task = self._source.next()
        messages: list[Any] = list(task.messages)
        for _ in range(3):
            try:
                text, calls, request_id = await self._ask(session, task, messages)
            except APIError as error:
                self._log({"error": type(error).__name__, "session": session})
                return
            score = task.check(text, calls)
            await self._rate(request_id, score)
            if score < 0.5 and self._rng.random() < CORRECTS:
                messages += [_said(text, calls), {"role": "user", "content": task.correction_text}]
            elif score >= 0.5 and not calls and self._rng.random() < GOES_ON:
                following = self._source.next(task.family)
                messages += [_said(text, calls), *[m for m in following.messages if m["role"] == "user"]]
                task = following
            else:
                return

    async def _ask(self, session: str, task: Task, messages: list[Any]) -> tuple[str, list[Any], str]:
        """(text, tool calls, request id) of an answer received whole."""
        headers = {"x-evogate-session": session}
        request: dict[str, Any] = {
            "model": MODEL,
            "messages": messages,
            "extra_headers": headers,
            **task.request_extras,
        }
        if self._rng.random() < 0.5:
            text, calls, request_id = await self._stream(request)
        else:
            raw = await self._client.chat.completions.with_raw_response.create(**request)
            message = raw.parse().choices[0].message
            text, request_id = message.content or "", raw.headers["x-evogate-request-id"]
            calls = [call.to_dict() for call in message.tool_calls or []]
        self._log({"id": request_id})
        return text, calls, request_id

    async def _stream(self, request: dict[str, Any]) -> tuple[str, list[Any], str]:
        """As `_ask`, chunk by chunk."""
        text: list[str] = []
        calls: dict[int, dict[str, Any]] = {}
        async with await self._client.chat.completions.create(stream=True, **request) as stream:
            async for chunk in stream:
                for choice in chunk.choices:
                    text.append(choice.delta.content or "")
                    for part in choice.delta.tool_calls or []:
                        _join(calls, part.to_dict())
            return "".join(text), [calls[key] for key in sorted(calls)], stream.response.headers["x-evogate-request-id"]

    async def _rate(self, request_id: str, score: float) -> None:
        said = {"request_id": request_id, "score": score}
        try:
            await self._client.post("/feedback", body=said, cast_to=object)
        except APIError as error:
            self._log({"error": type(error).__name__, "feedback": request_id})

    def _log(self, line: dict[str, Any]) -> None:
        self._answers.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def _said(text: str, calls: list[Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": text or "(called a tool)" if calls else text or "(nothing)"}


def _join(calls: dict[int, dict[str, Any]], part: dict[str, Any]) -> None:
    """Add a streamed piece of a tool call to what came before it."""
    call = calls.setdefault(part["index"], {"type": "function", "function": {"name": "", "arguments": ""}})
    call["id"] = part.get("id") or call.get("id")
    for key, value in (part.get("function") or {}).items():
        call["function"][key] += value or ""


@click.command()
@click.option("--base-url", required=True, help="The gateway's `/v1`.")
@click.option("--answers", type=click.Path(path_type=Path), required=True, help="Where to log whole answers.")
@click.option("--rate", type=float, default=60.0, help="Conversations a second.")
@click.option("--seed", type=int, default=0)
@click.option("--questions", type=click.Path(path_type=Path), help="A CSV of real questions, column `prompt`.")
def main(base_url: str, answers: Path, rate: float, seed: int, questions: Path | None) -> None:
    """Send the demo's traffic until terminated."""
    source = Source(seed, questions)
    with answers.open("ab", buffering=0) as log:
        asyncio.run(_run(base_url, source, random.Random(seed), log, rate))


async def _run(base_url: str, source: Source, rng: random.Random, log: IO[bytes], rate: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with AsyncOpenAI(base_url=base_url, api_key="demo", max_retries=0, timeout=30.0) as client:
        traffic = Traffic(client, source, rng, log)
        click.echo(f"ready {base_url}")
        sys.stdout.flush()
        await traffic.run(rate, stop)


if __name__ == "__main__":
    main()
