"""EvoGate as a user would start it, with something to do for each of its parts.

1. Everything on: a policy covers the requests, a candidate is in its canary (the bandit draws, evidence accrues), every
   frame is recorded with bodies, metrics count.
2. Mirroring: beside that, a second candidate is in the shadow, with no bound on money or concurrency in reach.
3. The plain relay is the same process, asked with `x-evogate-bypass: 1`.
"""

import asyncio
import importlib.machinery
import importlib.util
import json
import sys
import time
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loadtests.bench.machine import free_port
from loadtests.bench.targets import RELAY, Launch, Target
from policies.errors import OperatorError
from policies.genome import Lineage, Rule
from policies.registry import open_registry
from policies.registry.operations import start_canary
from policies.registry.port import Registry
from policies.registry.values import Candidate

POLICY = "bench"
RUBRIC = "Answer in one short paragraph. Name the next step."
CANARY, SHADOW = "Give the date of the next step.", "Offer a refund where the parcel is lost."
TAKE_OVER_S = 15.0

CONFIG = """\
gateway: {{admin_port: {admin}, mirror_concurrency: 100000}}
upstreams:
  bench: {{base_url: "http://127.0.0.1:{upstream}/v1", max_connections: 16384}}
models:
  large: {{upstream: bench, model: bench-large, usd_per_mtok: {{input: 2.0, output: 8.0}}}}
policies:
  {policy}:
    mode: approve
    match: {{path: /v1/chat/completions, model: "*"}}
    genome:
      prompt: {{rubric: "{rubric}", placement: after}}
      strategy: {{model_key: large, temperature: 0.3, max_tokens: 512}}
    shadow: {{sample: {sample}, usd_per_day: 1.0e+9, concurrency: 100000}}
recording: {{retain_bytes: {retain_bytes}}}
"""


@dataclass(frozen=True)
class Gateway:
    """One EvoGate process to be started; `mirrored` is the share of requests that go to a shadow candidate, too."""

    name: str
    upstream: int
    admin: int
    home: Path
    config: Path
    mirrored: float

    @classmethod
    def prepare(
        cls, name: str, folder: Path, upstream: int, *, mirrored: float = 0.0, retain_bytes: int = 2_000_000_000
    ) -> "Gateway":
        """Write its configuration."""
        admin = free_port()
        config = folder / f"evogate-{admin}.yaml"
        text = CONFIG.format(
            policy=POLICY, rubric=RUBRIC, upstream=upstream, admin=admin, sample=mirrored, retain_bytes=retain_bytes
        )
        config.write_text(text)
        return cls(name, upstream, admin, folder / f"home-{admin}", config, mirrored)

    @property
    def launch(self) -> Launch:
        """How it is started."""
        port = free_port()
        command = [str(Path(sys.executable).with_name("evogate")), "gateway"]
        options = ["--config", str(self.config), "--port", str(port)]
        return Launch(Target(self.name, port), [*command, *options], {"EVOGATE_HOME": str(self.home)})

    def populate(self) -> None:
        """Put the candidates where they belong, and wait until the gateway has taken them over.

        Raises:
            OperatorError: it has not.
        """
        asyncio.run(self._populate())
        deadline = time.monotonic() + TAKE_OVER_S
        while not self.complete():
            if time.monotonic() > deadline:
                raise OperatorError(f"'{self.name}' did not take its candidates over: {self.status()['arms']}")
            time.sleep(0.2)

    def status(self) -> dict[str, Any]:
        """`/admin/status`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/admin/status", timeout=10) as answer:
            value: dict[str, Any] = json.load(answer)
        return value

    def complete(self) -> bool:
        """Whether canary and shadow are in force: a candidate that was taken back would make it cheaper."""
        status = self.status()
        shadows = status["policies"][POLICY]["shadows"]
        return len(status["arms"]) == 2 and len(shadows) == (self.mirrored > 0) and bool(status["deciding"])

    async def _populate(self) -> None:
        now = time.time()
        async with open_registry(self.home) as registry:
            canary = await _add(registry, CANARY, now)
            await start_canary(registry, canary, who="bench", reason="bench", counted=False, now=now)
            if self.mirrored:
                shadow = await _add(registry, SHADOW, now)
                for _ in ("gated", "shadow"):
                    shadow = await registry.advance(shadow, "pass", who="bench", reason="bench", now=now)


async def _add(registry: Registry, rule: str, now: float) -> Candidate:
    """A candidate that differs from production by one more rule."""
    (production,) = await registry.versions(POLICY)
    prompt = production.genome.prompt
    longer = prompt.model_copy(update={"rubric": (*prompt.rubric, Rule.model_validate(rule))})
    genome = production.genome.model_copy(update={"prompt": longer})
    candidate = Candidate(
        id=f"bench-{genome.content_hash[:8]}",
        policy=POLICY,
        layer="prompt",
        genome=genome,
        base=production.label,
        lineage=Lineage(source="operator", parents=(production.genome.content_hash,)),
        state="proposed",
        state_since=now,
        created_at=now,
    )
    await registry.add_candidate(candidate)
    return candidate


def relay(everything: Target) -> Target:
    """The same process, asked to relay untouched."""
    return replace(everything, name=RELAY, headers=("x-evogate-bypass: 1",))


def compiled() -> bool:
    """Whether the gateways that are started from here are of the compiled build."""
    found = importlib.util.find_spec("gateway.pipeline.settle")
    return found is not None and str(found.origin).endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES))
