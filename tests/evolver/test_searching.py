"""The search of a cycle: what it may use, what stays on disk, and what a later process makes of it."""

import asyncio
import json
from dataclasses import replace

import pytest

from evolver import cycle, searching
from evolver.proposals import Proposal
from evolver.search import Journal
from policies.genome import FewShot, Genome, Lineage, PromptLayer, Rule
from tests.evolver.api.test_train import wordy_classification
from tests.evolver.support import POLICY, World, make_settings
from tests.evolver.test_cycle import failing_traffic

SEARCH = {"num_generations": 1, "population": 4, "usd_per_cycle": 0.5}


def configure(world: World, **search: object) -> None:
    world.configure(make_settings(world.settings.upstreams["sandbox"].base_url, search={**SEARCH, **search}))


async def cut_off(world: World) -> None:
    """A cycle that ends in the midst of its search, as its process does."""
    told = asyncio.Event()
    sent = world.provider.send

    async def send(*arguments: object) -> object:
        if world.provider.calls > 40:
            told.set()
        return await sent(*arguments)  # type: ignore[arg-type]

    world.provider.send = send  # type: ignore[assignment, method-assign]
    task = asyncio.create_task(cycle.run(POLICY, world.context()))
    await told.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    world.provider.send = sent  # type: ignore[method-assign]


async def test_the_next_cycle_goes_on_with_a_search_that_was_cut_off(served: World) -> None:
    configure(served)
    await failing_traffic(served)
    await cut_off(served)
    journal = served.home / "search" / f"{POLICY}.journal"
    entered = sum(len(json.loads(line)["entered"][1]) for line in journal.read_bytes().splitlines() if b'"ent' in line)
    before = served.provider.calls
    result = await cycle.run(POLICY, served.context(now=served.now + 600.0))
    assert entered > 0
    assert result.findings > 0
    assert served.provider.calls - before <= result.evaluations - entered
    assert not journal.exists()
    stored = json.loads((served.home / "search" / f"{POLICY}.json").read_bytes())
    assert stored["calls"] == result.evaluations
    assert stored["history"][-1]["hypervolume"] > 0


@pytest.mark.parametrize("change", ["settings", "time", "production"])
async def test_a_plan_that_does_not_fit_any_more_is_left(served: World, change: str) -> None:
    configure(served)
    await failing_traffic(served)
    await cut_off(served)
    base, now = served.production, served.now
    if change == "settings":
        configure(served, population=5)
    elif change == "time":
        now += 90_000.0
    else:
        base = replace(base, genome=base.genome.model_copy(update={"prompt": PromptLayer(cot=True)}))
    assert searching.unfinished(POLICY, base, served.context(now=now)) is None
    assert Journal.resume(served.home / "search" / f"{POLICY}.journal") is None


@pytest.mark.parametrize("nothing", [{"usd_per_cycle": 0.0}, {"calls_per_cycle": 0}])
async def test_a_budget_of_zero_leaves_the_proposals_as_they_are(served: World, nothing: dict[str, float]) -> None:
    configure(served, **nothing)
    await failing_traffic(served)
    result = await cycle.run(POLICY, served.context())
    assert (result.evaluations, served.provider.calls) == (0, 0)
    assert result.added


async def test_offspring_are_made_of_what_was_proposed(world: World) -> None:
    base = Genome(prompt=PromptLayer(rubric=(Rule(id="a", text="Be kind."),)))
    shot = FewShot(user="q", assistant="a")
    prompts = (
        PromptLayer(rubric=(Rule(id="a", text="Be very kind."), Rule(id="b", text="Be short."))),
        PromptLayer(rubric=base.prompt.rubric, few_shots=(shot,), tool_instructions="Call tools with care."),
    )
    proposals = [
        Proposal(base.model_copy(update={"prompt": prompt}), "prompt", Lineage(source="patch")) for prompt in prompts
    ]
    made = searching.material(base, proposals, world.settings.policies[POLICY], world.context())
    assert made.rewrites == {"a": ("Be very kind.",)}
    assert [rule.text for rule in made.rules] == ["Be short.", "Be kind."]
    assert (made.few_shots, made.tool_instructions) == ((shot,), ("Call tools with care.",))
    assert set(made.model_keys) == {"large", "medium", "small", "reflection"}


@pytest.mark.parametrize("method", ["grpo", "experience"])
async def test_a_trainer_in_the_cycle_proposes_what_gains_on_unseen_requests(served: World, method: str) -> None:
    url = served.settings.upstreams["sandbox"].base_url
    training = {"in_cycle": method, "calls_per_run": 400}
    served.configure(make_settings(url, search={"usd_per_cycle": 0.0}, training=training))
    await wordy_classification(served)
    result = await cycle.run(POLICY, served.context())
    assert result.operators[method] == 1
    candidates = [await served.registry.candidate(name) for name in result.added]
    assert "rl_trainer" in {candidate.lineage.source for candidate in candidates}
