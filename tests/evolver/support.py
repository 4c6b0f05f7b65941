"""A small world for the evolver's tests: a home with registry and spool, a provider, a clock in one's hand."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import orjson

from config.settings import Settings
from evolver.context import Context
from evolver.provider import Provider
from evolver.store import Store
from evolver.webhook import Webhook
from gateway.recording import SpoolWriter
from gateway.recording.frames import Assignment, Frame, Outcome, Signal, to_payload
from policies.genome import Genome, Lineage, PromptLayer
from policies.registry import Registry, open_registry
from policies.registry.values import Candidate, Version

POLICY = "support"
START = 1_700_000_000.0
RULE = "Answer in one short sentence."
CLOSED_PORT = "http://127.0.0.1:9/v1"


def make_settings(base_url: str = CLOSED_PORT, *, policy: dict[str, Any] | None = None, **evolver: Any) -> Settings:
    """Settings on the sandbox's models."""
    price = {"input": 0.4, "output": 1.6}
    models = {
        key: {"upstream": "sandbox", "model": f"sandbox-{key}", "usd_per_mtok": price}
        for key in ("large", "medium", "small", "judge", "reflection")
    }
    one = {"mode": "auto", "genome": {"prompt": {"rubric": RULE}, "strategy": {"model_key": "medium"}}}
    return Settings.model_validate(
        {
            "upstreams": {"sandbox": {"base_url": base_url}},
            "models": models,
            "policies": {POLICY: {**one, **(policy or {})}},
            "evolver": {"judge": {"model_key": "judge"}, **evolver},
        }
    )


@dataclass
class World:
    settings: Settings
    home: Path
    registry: Registry
    store: Store
    provider: Provider
    webhook: Webhook
    production: Version
    now: float = START
    rng: Random = field(default_factory=lambda: Random(7))
    writers: dict[str, SpoolWriter] = field(default_factory=dict)

    def context(self, **changes: Any) -> Context:
        context = Context(
            settings=self.settings,
            registry=self.registry,
            store=self.store,
            provider=self.provider,
            webhook=self.webhook,
            home=self.home,
            now=self.now,
            rng=self.rng,
        )
        return replace(context, **changes)

    def configure(self, settings: Settings) -> None:
        self.settings = settings
        self.provider.configure(settings)
        self.webhook.configure(settings.evolver)

    async def record(self, frames: Iterable[Frame], writer: str = "w0") -> None:
        """Frames into the spool, and from there into the database."""
        self.spool(frames, writer)
        await self.store.ingest()

    def spool(self, frames: Iterable[Frame], writer: str = "w0") -> None:
        if writer not in self.writers:
            self.writers[writer] = SpoolWriter(self.home / "spool" / writer, segment_bytes=1 << 20)
        for frame in frames:
            self.writers[writer].append(orjson.dumps(to_payload(frame)))
        self.writers[writer].flush()

    async def candidate(self, state: str = "proposed", **changes: Any) -> Candidate:
        """A candidate in that state."""
        genome = changes.pop("genome", None) or with_rule(self.production.genome, "Say the number first.")
        made = Candidate(
            id=changes.pop("id", "c0ffee"),
            policy=POLICY,
            layer=changes.pop("layer", "prompt"),
            genome=genome,
            base=self.production.label,
            lineage=Lineage(source="patch"),
            state=state,  # type: ignore[arg-type]
            state_since=self.now,
            created_at=self.now,
            **changes,
        )
        assert await self.registry.add_candidate(made)
        return await self.registry.candidate(made.id)


def with_rule(base: Genome, text: str) -> Genome:
    rules = [*base.prompt.rubric, {"text": text}]
    return base.model_copy(update={"prompt": PromptLayer.model_validate({"rubric": rules})})


@asynccontextmanager
async def make_world(home: Path, settings: Settings) -> AsyncIterator[World]:
    """Open everything, with version 1.0 in production."""
    async with (
        open_registry(home) as registry,
        Store(home / "analysis.db", home / "spool") as store,
        Provider(settings, timeout_s=5.0) as provider,
        Webhook(settings.evolver, pause_s=0.01) as webhook,
    ):
        genome = settings.policies[POLICY].genome
        seed = Lineage(source="seed")
        version = await registry.add_version(POLICY, genome, seed, who="config", why="the file", now=START - 1000)
        await registry.move(POLICY, version.label, expected_revision=0, who="config", why="the file", now=START - 1000)
        world = World(settings, home, registry, store, provider, webhook, version)
        yield world
        for writer in world.writers.values():
            writer.close()


def body(text: str = "What is 2 + 2?", **extra: Any) -> dict[str, Any]:
    return {"model": "sandbox-medium", "messages": [{"role": "user", "content": text}], **extra}


def exchange(
    number: int,
    *,
    at: float = START,
    text: str = "What is 2 + 2?",
    answer: str | None = "4",
    failure: str | None = None,
    settled_after: float | None = 0.5,
    extra: dict[str, Any] | None = None,
    reward: float | None = 1.0,
    latency_ms: float = 400.0,
    **changes: Any,
) -> list[Assignment | Outcome]:
    """One request as its frames; without `settled_after` its outcome never came."""
    fields: dict[str, Any] = {
        "writer": "w0",
        "policy": POLICY,
        "epoch": 1,
        "unit": f"u{number:06d}",
        "turn": 1,
        "arms": [("a", 1.0)],
        "arm": "a",
        "role": "production",
        "version": "v1.0",
        "candidate": None,
        "experiment": None,
        "first": False,
        "why": "only",
        "path": "/v1/chat/completions",
        "stream": False,
        "model": "sandbox-medium",
        "intent": "",
        "body": body(text, **(extra or {})),
    }
    assignment = Assignment(id=f"r{number:06d}", at=at, **{**fields, **changes})
    if settled_after is None:
        return [assignment]
    said = None if answer is None else {"text": answer, "tool_calls": [], "finish_reason": "stop"}
    outcome = Outcome(
        id=assignment.id,
        at=at + settled_after,
        status=200,
        answer=said,
        model="sandbox-medium",
        last_byte_ms=latency_ms,
        first_byte_ms=latency_ms / 2,
        input_tokens=20,
        output_tokens=10,
        cost_usd=0.0001,
        failure=failure,
        reward=0.0 if failure else reward,
    )
    return [assignment, outcome]


def signal(number: int, kind: Any, data: dict[str, Any] | None = None, *, at: float = START + 1) -> Signal:
    return Signal(id=f"r{number:06d}", at=at, kind=kind, policy=POLICY, unit=f"u{number:06d}", data=data or {})


def shadow(number: int, candidate: str, *, at: float = START + 1, **changes: Any) -> Signal:
    """A candidate's answer to request `number`."""
    data = {
        "candidate": candidate,
        "arm": "b",
        "status": 200,
        "answer": {"text": "4", "tool_calls": [], "finish_reason": "stop"},
        "last_byte_ms": 400.0,
        "cost_usd": 0.0001,
        "failure": None,
        "reward": 1.0,
    }
    return signal(number, "shadow", {**data, **changes}, at=at)
