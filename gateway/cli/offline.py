"""Rendering without a running gateway, by the gateway's own code: what a version would send, or did send."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from config import builtin
from config.loader import load
from config.settings import Settings
from gateway.cli.live import listener
from gateway.http.upstream import Call
from gateway.pipeline.arms import Parts
from gateway.pipeline.build import Builder
from gateway.pipeline.epoch import Arm, Target
from gateway.pipeline.memories import Memories
from gateway.pipeline.metrics import Metrics
from gateway.pipeline.routes import Route
from gateway.pipeline.targets import default_model, targets_of
from policies.dialects import Dialect, dialect_of
from policies.errors import OperatorError
from policies.genome import Genome
from policies.memory import Entry
from policies.memory.lines import unpack
from policies.registry.port import Registry
from policies.strategy.router import Router


class Unconnected:
    """A pool that is never called: offline, nothing is sent."""

    def call(self, *request: object) -> Call:
        """Never called."""
        raise AssertionError(f"nothing is sent offline, but this was to be: {request}")

    upgrade = call

    def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True, slots=True)
class Offline:
    """One genome of one policy, compiled as the gateway compiles it."""

    arm: Arm
    dialect: Dialect

    def render(self, body: dict[str, Any], *, recalled: Sequence[str] | None = None) -> bytes:
        """What goes up for `body`, with the memory's entries of these ids; None: with what its words bring up."""
        turns = self.dialect.turns(body)
        memory, entries = self.arm.memory, list[Entry]()
        if memory is not None and recalled is None:
            entries = [entry for entry, _ in memory.recall(turns.text)]
        elif memory is not None:
            indexes = memory.library.facts, memory.library.shots
            known = {entry.id: entry for index in indexes for entry in index.entries()}
            entries = [known[name] for name in recalled or () if name in known]
        return self.arm.way(str(body.get("model", ""))).renderer.render(body, entries, ask_usage=True, turns=turns)


def settings_in_force(home: Path, config: Path | None) -> Settings:
    """The configuration named, or the one that the gateway of this data folder was last started with.

    Raises:
        OperatorError: it is not valid, or refers to a variable that is not set here.
    """
    started_with = listener(home, "gateway").get("config")
    path = config or (Path(started_with) if started_with else None)
    return load(path, {**builtin.STAND_INS, **os.environ})


async def memory_of(registry: Registry, policy: str, genome: Genome) -> list[Entry]:
    """The entries of the snapshot that a genome names; none where it names none.

    Raises:
        NotFoundError: the registry does not have it.
    """
    digest = genome.memory.snapshot
    return [] if digest is None else list(unpack(await registry.memory(policy, digest), f"memory snapshot {digest}"))


def compiled(settings: Settings, policy: str, genome: Genome, memory: Sequence[Entry] = ()) -> Offline:
    """A genome, ready to render; `memory` is its snapshot's, see `memory_of`.

    Raises:
        OperatorError: the policy is not configured, or the genome can't be served with this configuration.
    """
    if policy not in settings.policies:
        raise OperatorError(f"policy '{policy}' is not in the configuration; name the file with --config")
    whole = settings.policies[policy].model_copy(update={"memory_holdout": 0.0})
    settings = settings.model_copy(update={"policies": {**settings.policies, policy: whole}})
    routes = {name: Route(name, upstream, Unconnected()) for name, upstream in settings.upstreams.items()}
    targets = targets_of(settings, routes)
    default = Target(next(iter(routes.values()), None))
    memories = Memories()
    memories.put(memory)
    workshop = Builder(Metrics(), b"", memories, time.monotonic)
    alias = default_model(settings, targets)
    every_s = settings.gateway.comment_every_s
    parts = Parts(
        workshop,
        policy,
        settings.policies[policy],
        targets=targets,
        default=default,
        alias=alias,
        comment_every_s=every_s,
        router=Router(settings.choices),
    )
    arm = parts.arm(genome, "production", "", None)
    if arm is None:
        raise OperatorError(parts.problems[0])
    return Offline(arm, dialect_of(settings.policies[policy].match.path))


def pretty(body: Any) -> list[str]:
    """JSON as lines, keys in their order: what a diff compares."""
    return orjson.dumps(body, option=orjson.OPT_INDENT_2).decode().splitlines()
