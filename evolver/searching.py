"""The search of a cycle: planned, kept in a journal while it runs, and gone on with where its process ended."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
import orjson

from config.policy import Policy
from config.upstreams import Model
from evolver.context import Context
from evolver.examples import Example
from evolver.proposals import Proposal
from evolver.search import Evaluate, Journal, Material, Plan, Score, SearchResult, progress
from policies.errors import ProviderError
from policies.genome import Genome, LayerName
from policies.registry.values import Version
from policies.strategy.choice import most_calls

SEARCHED = 60  # requests that genomes are evaluated on, half of them bad ones where there are enough
FOLDER = "search"


@dataclass(frozen=True, slots=True)
class Work:
    """What a cycle has found out before it searches; no plan where nothing can be replayed, or nothing may be spent."""

    examples: int
    findings: int
    proposals: list[Proposal]
    plan: Plan | None = None
    journal: Journal | None = None  # of a search that its process did not end


def planned(
    base: Version, proposals: list[Proposal], examples: Sequence[Example], *, findings: int, context: Context
) -> Work:
    """A new search from production and the proposals."""
    settings = context.settings.evolver.search
    genomes = (base.genome, *(proposal.genome for proposal in proposals))
    if settings.usd_per_cycle <= 0.0 or settings.calls_per_cycle <= 0 or not context.usable(*genomes):
        return Work(len(examples), findings, proposals)
    expected = {proposal.genome.content_hash: proposal.score for proposal in proposals}
    found = material(base.genome, proposals, context.settings.policies[base.policy], context)
    intents = tuple(sorted({example.intent for example in examples if example.intent}))
    plan = Plan(
        seeds=((base.genome, base.lineage), *((one.genome, one.lineage) for one in proposals)),
        examples=tuple(sample(examples, context.rng)),
        settings=settings,
        material=replace(found, intents=intents),
        rng=np.random.default_rng(context.rng.getrandbits(64)).bit_generator.state,
        began=context.now,
        note={"expected": expected, "examples": len(examples), "findings": findings},
    )
    return Work(len(examples), findings, proposals, plan)


def unfinished(name: str, base: Version, context: Context) -> Work | None:
    """The search that a process began and did not end, where it is still worth going on with."""
    journal = Journal.resume(_file(name, context, "journal"))
    if journal is None:
        return None
    plan = Plan.from_json(journal.plan)
    if plan is None or not plan.fits(base.genome, context.settings.evolver.search, context.now):
        journal.close(done=True)
        return None
    proposals = [
        Proposal(genome, base.genome.changed_layers(genome)[0], lineage, plan.note["expected"][genome.content_hash])
        for genome, lineage in plan.seeds[1:]
    ]
    return Work(plan.note["examples"], plan.note["findings"], proposals, plan, journal)


def forget(name: str, context: Context) -> None:
    """Of a search whose outcome stands in the cycle's notebook nothing is left to do."""
    _file(name, context, "journal").unlink(missing_ok=True)


async def searched(name: str, work: Work, context: Context, conclude: Callable[[SearchResult | None], None]) -> None:
    """Race the proposals and their offspring against production by replay; the result stays beside the journal.

    `conclude` is given it (None where nothing is searched) while the journal is still there.
    """
    if work.plan is None:
        conclude(None)
        return
    policy = context.settings.policies[name]
    journal = work.journal or Journal.begin(_file(name, context, "journal"), work.plan.to_json())
    done = False
    try:
        with progress(name, work.plan.settings.num_generations) as tell:
            result = await work.plan.run(
                replayed(name, context),
                ceiling=lambda genome, _: policy.budgets.usd_per_request * most_calls(genome.strategy),
                journal=journal,
                on_generation=tell,
            )
        _file(name, context, "json").write_bytes(orjson.dumps(result.to_dict(), option=orjson.OPT_INDENT_2))
        conclude(result)
        done = True
    except asyncio.CancelledError:
        raise
    except Exception:
        done = True  # it would fail again
        raise
    finally:
        journal.close(done=done)


def replayed(name: str, context: Context) -> Evaluate:
    """Scores by asking the upstream afresh; an upstream that is down scores nothing."""
    replay = context.replay(name)

    async def evaluate(genome: Genome, chosen: Sequence[Example]) -> list[Score]:
        found = await replay.run(genome, chosen)
        down = next((one for one in found if not one.measured), None)
        if down is not None:
            raise ProviderError(f"replay: the upstream does not answer ({down.completion.error})")
        return [Score(one.quality or 0.0, one.latency_ms, one.cost_usd) for one in found]

    return evaluate


def serving_models(context: Context) -> dict[str, Model]:
    """Models that may answer clients: all but those that judge, reflect and embed."""
    evolver = context.settings.evolver
    kept_back = {evolver.judge.model_key, evolver.reflection.model_key, context.settings.embeddings.model_key}
    return {key: model for key, model in context.settings.models.items() if key not in kept_back}


def material(base: Genome, proposals: Sequence[Proposal], policy: Policy, context: Context) -> Material:
    """What offspring may be made of: what was proposed, and models that serve."""
    prompts = [proposal.genome.prompt for proposal in proposals]
    now = {rule.id: rule.text for rule in base.prompt.rubric}
    proposed = [rule for prompt in prompts for rule in prompt.rubric if now.get(rule.id) != rule.text]
    rewrites: dict[str, tuple[str, ...]] = {}
    for rule in proposed:
        if rule.id in now:
            rewrites[rule.id] = (*rewrites.get(rule.id, ()), rule.text)
    tools = dict.fromkeys(prompt.tool_instructions for prompt in prompts if prompt.tool_instructions)
    remembers = policy.memory_file is not None or base.memory.snapshot is not None
    layers: tuple[LayerName, ...] = ("prompt", "strategy", "memory") if remembers else ("prompt", "strategy")
    return Material(
        model_keys=tuple(serving_models(context)),
        routed=len(context.settings.choices) > 1,
        embeds=context.settings.embeddings.model_key is not None,
        rules=tuple({rule.id: rule for rule in proposed if rule.id not in now}.values()) + base.prompt.rubric,
        rewrites=rewrites,
        few_shots=tuple(dict.fromkeys(shot for prompt in prompts for shot in prompt.few_shots)),
        tool_instructions=tuple(tools),
        layers=layers,
        frozen=frozenset({"shots_topk"} if base.memory.shots_topk == 0 else ()),
    )


def sample(examples: Sequence[Example], rng: Random) -> list[Example]:
    """Requests to evaluate on: half of them bad ones, where there are enough; those that say nothing left out."""
    telling = [example for example in examples if example.failure is None or example.failed]
    bad = [example for example in telling if example.bad]
    fine = [example for example in telling if not example.bad]
    chosen = rng.sample(bad, min(len(bad), SEARCHED // 2))
    return chosen + rng.sample(fine, min(len(fine), SEARCHED - len(chosen)))


def _file(name: str, context: Context, kind: str) -> Path:
    return context.home / FOLDER / f"{name}.{kind}"
