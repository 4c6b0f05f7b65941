"""A change follows production: gene by gene, rule by rule, and through every gate again."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from evolver.conveyor import step_all
from evolver.rebase import rebase
from policies.genome import Genome
from tests.evolver.support import POLICY, World, with_rule


def genome(*rules: str, temperature: float | None = None, **prompt: Any) -> Genome:
    layer = {"rubric": [{"id": name[0], "text": name} for name in rules], **prompt}
    return Genome.model_validate({"prompt": layer, "strategy": {"temperature": temperature}})


def texts(value: Genome) -> list[str]:
    return [rule.text for rule in value.prompt.rubric]


def test_rules_are_merged() -> None:
    base, production = genome("a", "b", "c"), genome("a", "b", "c", "d")
    assert texts(rebase(genome("a", "b", "c", "e"), base, production, "prompt")) == ["a", "b", "c", "d", "e"]
    assert texts(rebase(genome("a", "c"), base, production, "prompt")) == ["a", "c", "d"]
    assert texts(rebase(genome("a", "b2", "c"), base, production, "prompt")) == ["a", "b2", "c", "d"]


def test_what_production_changed_itself_stays() -> None:
    base, production = genome("a", "b"), genome("a", "b9")
    assert texts(rebase(genome("a", "b2"), base, production, "prompt")) == ["a", "b9"]


def test_only_changed_genes_of_its_layer_are_carried_over() -> None:
    base, change = genome("a"), genome("a", cot=True, temperature=0.9)
    production = genome("a", "b", tone="formal", temperature=0.1)
    merged = rebase(change, base, production, "prompt")
    assert merged == genome("a", "b", tone="formal", cot=True, temperature=0.1)


rubrics = st.lists(st.sampled_from("abcdefg"), unique=True, max_size=7)


@given(rubrics, rubrics, rubrics)
def test_laws(old: list[str], new: list[str], here: list[str]) -> None:
    base, change, production = (genome(*rules) for rules in (old, new, here))
    assert rebase(change, base, base, "prompt").prompt.rubric is not None
    assert rebase(base, base, production, "prompt") == production
    merged = set(texts(rebase(change, base, production, "prompt")))
    assert merged == (set(here) - (set(old) - set(new))) | (set(new) - set(old))


async def test_a_waiting_candidate_is_carried_over_to_the_new_version(world: World) -> None:
    candidate = await world.candidate("judged", stations={"judge": {"mean": 1.0}})
    promoted = with_rule(world.production.genome, "A rule that was promoted.")
    version = await world.registry.add_version(
        POLICY, promoted, world.production.lineage, who="evolver", why="proven", now=world.now
    )
    await world.registry.move(POLICY, version.label, expected_revision=1, who="evolver", why="proven", now=world.now)
    await step_all({}, world.context())
    assert (await world.registry.candidate(candidate.id)).state == "inconclusive"
    (fresh,) = await world.registry.candidates(POLICY, live=True)
    assert (fresh.state, fresh.base, fresh.stations) == ("proposed", "v1.1", {})
    assert texts(fresh.genome)[-2:] == ["A rule that was promoted.", "Say the number first."]
    assert await step_all({}, world.context()) == 0


async def test_a_change_that_production_has_made_itself_ends(world: World) -> None:
    candidate = await world.candidate("judged")
    version = await world.registry.add_version(
        POLICY, candidate.genome, world.production.lineage, who="operator", why="by hand", now=world.now
    )
    await world.registry.move(POLICY, version.label, expected_revision=1, who="operator", why="by hand", now=world.now)
    await step_all({}, world.context())
    assert await world.registry.candidates(POLICY, live=True) == []
