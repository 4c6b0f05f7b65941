"""The gates: scope, memory, syntax, regression and anchors. Each takes measured values with the ids of their samples.

A gate without a value fails. An upstream that is down gives no value and no verdict: the candidate waits.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import orjson

from config.policy import Policy
from evolver.context import Context
from evolver.examples import Example
from evolver.golden import anchors, sealed
from evolver.memory.gate import memory_gate, sources_of
from evolver.proposals import recorded_texts, scope_check
from evolver.replay import Replay, Replayed
from evolver.stations.anchors import regressed
from evolver.stations.base import Move, UpstreamDownError, wait
from policies.errors import EvoGateError
from policies.evidence.gates import gauged
from policies.genome import Genome
from policies.memory import Library
from policies.registry.operations import find_version
from policies.registry.values import Candidate

T = TypeVar("T")
SHAPES = 50  # distinct request shapes that are rendered
RECENT = 500  # newest requests in which shapes and successes are looked for
UNTOUCHED = ("tools", "tool_choice", "response_format", "text", "output_config")
SPOKEN = ("messages", "input", "prompt")  # where the endpoints have the conversation


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate's result: the measured value, whether it is good enough, the samples, and what is wrong."""

    value: float | None
    good: bool
    samples: list[str] = field(default_factory=list)
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Measured, and good enough."""
        return self.value is not None and self.good

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self) | {"passed": self.passed}

    @classmethod
    def of(cls, name: str, samples: Sequence[str] = (), **detail: Any) -> Self:
        """The gate of that name by what was found; no problems are left out."""
        found = {key: value for key, value in detail.items() if key != "problems" or value}
        return cls(*gauged(name, samples, found), list(samples), found)


class Gates:
    """proposed -> gated: all of them; without an operator's key the regression gate is left to `Admission`."""

    async def step(self, candidate: Candidate, context: Context) -> Move | None:
        """Measure, then pass or fail."""
        policy = context.policy(candidate.policy)
        if policy is None:
            return wait(candidate, "waits: its policy is not in the configuration")
        examples = await context.store.examples(candidate.policy, limit=RECENT)
        if not examples:
            return wait(candidate, "waits for recorded requests to be checked against")
        base = (await find_version(context.registry, candidate.policy, candidate.base)).genome
        golden = _golden(policy, sealed)
        gates = {"scope": scope(base, candidate, examples, golden)}
        if candidate.genome.memory.snapshot != base.memory.snapshot:
            problems = await memory_gate(candidate.policy, base, candidate.genome, context, golden)
            gates["memory"] = Gate.of("memory", problems=problems)
        if "memory" not in gates or gates["memory"].passed:
            replay = context.replay(candidate.policy)
            memory = await replay.memory(candidate.genome)
            gates["syntax"] = syntax(replay, candidate.genome, examples, memory)
        if all(gate.passed for gate in gates.values()) and context.usable(base, candidate.genome):
            try:
                gates |= await replayed(candidate, examples, context)
            except UpstreamDownError as error:
                return wait(candidate, f"waits: {error}")
        return verdict(gates)


def verdict(gates: dict[str, Gate]) -> Move:
    """Pass where every gate did; else fail, naming those that did not."""
    measured = {name: gate.to_json() for name, gate in gates.items()}
    failed = [name for name, gate in gates.items() if not gate.passed]
    if failed:
        why = "; ".join(f"{name}: {_problem(gates[name])}" for name in failed)
        return Move("fail", f"failed its gates ({why})", "gates", measured)
    return Move("pass", f"passed its gates: {', '.join(gates)}", "gates", measured)


def _problem(gate: Gate) -> str:
    if gate.value is None:
        return "no value could be measured"
    told = {name: value for name, value in gate.detail.items() if name not in {"worse", "better"}}
    return str(told.get("problems") or told)


def syntax(replay: Replay, genome: Genome, examples: list[Example], memory: Library | None = None) -> Gate:
    """Renders for every recorded request shape; the value is the share that rendered well."""
    shapes = {_shape(example.body): example for example in reversed(examples)}
    chosen = list(shapes.values())[:SHAPES]
    problems = {e.id: problem for e in chosen if (problem := _render_problem(replay, genome, e, memory))}
    return Gate.of("syntax", [e.id for e in chosen], problems=problems)


def _shape(body: dict[str, Any]) -> str:
    """What distinguishes requests to a renderer: the fields present, the roles and the kinds of content."""
    turns = body.get("messages") or body.get("input")
    listed = [turn for turn in turns if isinstance(turn, dict)] if isinstance(turns, list) else []
    roles = [(turn.get("role"), type(turn.get("content")).__name__) for turn in listed]
    return orjson.dumps([sorted(body), roles]).decode()


def _render_problem(replay: Replay, genome: Genome, example: Example, memory: Library | None) -> str | None:
    body = example.body
    try:
        sent = orjson.loads(replay.render(genome, example, {}, memory))
    except (EvoGateError, ValueError, TypeError, KeyError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    if not isinstance(sent, dict) or any(body.get(name) and not sent.get(name) for name in SPOKEN):
        return "no messages are left"
    changed = [name for name in UNTOUCHED if sent.get(name) != body.get(name)]
    return f"{', '.join(changed)} must stay as the client sent it" if changed else None


def _golden(policy: Policy, read: Callable[[Path], list[T]]) -> list[T]:
    """What the policy's hand-written golden set has to say."""
    return read(Path(policy.golden_file)) if policy.golden_file else []


def scope(base: Genome, candidate: Candidate, examples: list[Example], sealed_texts: Sequence[str] = ()) -> Gate:
    """Touches only its layer, within bounds, and brings nothing in that is forbidden; the value counts problems."""
    recorded = [*recorded_texts(examples), *sealed_texts]
    problems = scope_check(base, candidate.genome, candidate.layer, recorded_texts=recorded)
    return Gate.of("scope", problems=problems)


async def replayed(candidate: Candidate, examples: list[Example], context: Context) -> dict[str, Gate]:
    """The gates that need fresh answers: the regression gate, and that of the anchors where there are any.

    Raises:
        UpstreamDownError: the provider does not answer.
    """
    gates = {"regression": await regression(candidate, examples, context)}
    policy = context.policy(candidate.policy)
    assert policy is not None
    base = (await find_version(context.registry, candidate.policy, candidate.base)).genome
    replay = context.replay(candidate.policy)
    pinned = _golden(policy, partial(anchors, policy=candidate.policy))
    most = len(pinned) + context.settings.evolver.anchors
    found = await regressed(base, candidate.genome, [*pinned, *examples], replay, most)
    if found is not None:
        held, lost = found
        gates["anchors"] = Gate.of("anchors", held, problems=lost)
    return gates


async def regression(candidate: Candidate, examples: list[Example], context: Context) -> Gate:
    """Recent successes answered afresh by production and candidate: significantly more failures don't pass.

    The two are compared with each other, not with the recording, so that a provider's bad day blames nobody, and at the
    same time, so that a stall of ours makes both slow; by an exact sign test on the requests where only one failed.

    Raises:
        UpstreamDownError: the provider does not answer.
    """
    base = (await find_version(context.registry, candidate.policy, candidate.base)).genome
    taught = await sources_of(candidate.policy, base, candidate.genome, context)
    successes = [one for one in examples if one.failure is None and not one.bad and one.id not in taught]
    chosen = context.rng.sample(successes, min(len(successes), context.settings.evolver.regression_sample))
    replay = context.replay(candidate.policy)
    production, fresh = await asyncio.gather(replay.run(base, chosen), replay.run(candidate.genome, chosen))
    if chosen and not any(one.measured for one in production):
        raise UpstreamDownError(f"the upstream does not answer ({production[0].completion.error})")
    return compare(production, fresh)


def compare(production: list[Replayed], candidate: list[Replayed]) -> Gate:
    """The regression gate's decision; the value is the sign test's p, small where the candidate fails more."""
    # A candidate's own transport failures count: its model may be the one that is down.
    pairs = [(p, c) for p, c in zip(production, candidate, strict=True) if p.measured]
    return Gate.of(
        "regression",
        [p.id for p, _ in pairs],
        worse=[p.id for p, c in pairs if c.failure is not None and p.failure is None],
        better=[p.id for p, c in pairs if p.failure is not None and c.failure is None],
        pairs=len(pairs),
        production_failures=sum(p.failure is not None for p, _ in pairs),
        candidate_failures=sum(c.failure is not None for _, c in pairs),
        failures=sorted({c.failure for _, c in pairs if c.failure is not None}),
    )
