"""A gateway with one strategy in front of a provider that answers by rule."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import orjson

from policies.strategy.features import features
from tests.gateway.pipeline.conftest import JSON, Running, running, settings
from tests.gateway.pipeline.scripted import (
    DONE,
    END,
    STREAM,
    Visit,
    chunk,
    completion,
    delta,
    embeddings,
    provider,
    whole,
)  # fmt: skip
from tests.gateway.pipeline.strategy.genes import SLOW, Reply

EVERY_S = 0.05
LARGE_PRICE = {"input": 2.0, "output": 8.0}
MODELS: dict[str, JSON] = {
    "large": {"upstream": "sandbox", "model": "sandbox-large", "usd_per_mtok": LARGE_PRICE, "capability": 1.0},
    "small": {"upstream": "sandbox", "model": "sandbox-small", "capability": 0.2},
    "embed": {"upstream": "sandbox", "model": "text-embedding-sandbox", "usd_per_mtok": {"input": 0.1}},
}
CLOSES = b"Connection: close\r\n"  # as the script's provider does after each answer
EMBEDDINGS = {"model_key": "embed", "timeout_s": 20.0}


class Bench:
    """A running gateway and what its provider has seen. `hangs`: requests that the gateway gave up."""

    def __init__(self) -> None:
        self.sent: list[JSON] = []
        self.embedded: list[str] = []  # texts that embeddings were asked for
        self.embeds = True
        self.hangs = 0
        self.release = asyncio.Event()  # streams begin
        self.release.set()
        self.gateway: Running

    async def script(self, visit: Visit, reply: Reply) -> None:
        body = orjson.loads(visit.body)
        if visit.head.startswith(b"POST /v1/embeddings "):
            self.embedded += body["input"]
            answer = embeddings(body["input"]) if self.embeds else b"{}"
            await visit.send(whole(answer, b"200 OK" if self.embeds else b"500 Broken", CLOSES))
            return
        self.sent.append(body)
        text = reply(body, len(self.sent) - 1)
        if text == SLOW:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await visit.gone()
                    return
        if text is None:
            await visit.gone()
            self.hangs += 1
        elif text == "500":
            await visit.send(whole(b'{"error": {"message": "broken"}}', b"500 Internal Server Error"))
        elif body.get("stream"):
            await self.release.wait()
            await visit.send(STREAM + chunk(delta(text)) + chunk(delta("", "stop") + DONE) + END)
        else:
            await visit.send(whole(completion(text, model=body["model"]), extra=CLOSES))

    @property
    def outcome(self) -> JSON:
        return self.gateway.frames("outcome")[-1]

    def teach(self, known: Iterable[tuple[str, float, float]]) -> None:
        """Let the router know what came of the same question before: (model, quality, milliseconds)."""
        arm = self.gateway.core.epoch.policies["assistant"].production.open
        for key, quality, ms in known:
            assert arm is not None
            assert arm.router is not None
            arm.router.learn(key, features("How much?"), quality, ms=ms, tokens=5)

    async def ask(self, **extra: Any) -> str:
        status, _, body = await self.gateway.ask("How much?", **extra)
        assert status == 200, body
        return str(body["choices"][0]["message"]["content"])

    @contextlib.asynccontextmanager
    async def stream(self) -> AsyncIterator[Any]:
        body = {"model": "sandbox-large", "stream": True, "messages": [{"role": "user", "content": "How much?"}]}
        async with self.gateway.http.post(f"{self.gateway.url}/v1/chat/completions", json=body) as answer:
            yield answer


@contextlib.asynccontextmanager
async def bench(
    home: Path, strategy: JSON, reply: Reply, models: JSON = MODELS, policy: JSON | None = None
) -> AsyncIterator[Bench]:
    """A gateway whose only arm has these strategy genes; `policy`: what else its policy says."""
    found = Bench()
    genome = {"strategy": {"model_key": "large", **strategy}}
    async with provider(lambda visit: found.script(visit, reply)) as url:
        config = settings(
            url,
            {"genome": genome, **(policy or {})},
            gateway={"port": 0, "admin_port": 0, "comment_every_s": EVERY_S},
            models=models,
            embeddings=EMBEDDINGS if "embed" in models else {},
        )
        async with running(config, home) as found.gateway:
            yield found
