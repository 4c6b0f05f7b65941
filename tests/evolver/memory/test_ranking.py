"""A learnt memory gets its try unless it was measured to be worse, for replay can't see what it is learnt for."""

from evolver import cycle
from evolver.memory.drafts import LEARNT
from evolver.proposals import Proposal
from evolver.search.values import Objectives, Ranked, SearchResult
from policies.genome import Genome, Lineage, MemoryLayer
from tests.evolver.support import World, with_rule


def raced(genome: Genome, gain: float, half: float) -> Ranked:
    return Ranked(genome, Lineage(source="patch"), Objectives(0.5, 1.0, 0.1, 0.5), gain, gain - half, 20)


def test_a_learnt_memory_is_tried_unless_it_was_measured_to_be_worse(world: World) -> None:
    base = world.production.genome
    memory = base.model_copy(update={"memory": MemoryLayer(retriever_topk=3, snapshot="0" * 32)})
    rule = Proposal(with_rule(base, "One."), "prompt", Lineage(source="patch"), 0.9)
    learnt = Proposal(memory, "memory", Lineage(source="patch", operator=LEARNT), 0.1)

    def order(*found: Ranked) -> list[Genome]:
        result = SearchResult((raced(base, 0.0, 0.0), raced(rule.genome, 0.3, 0.1), *found), (), 10, 0.1, "budget")
        return [genome for genome, _, _ in cycle._ranked(base, [rule, learnt], result)]

    assert order() == [memory, rule.genome]  # the race has passed it over
    assert order(raced(memory, -0.02, 0.1)) == [memory, rule.genome]  # noise
    assert order(raced(memory, 0.02, 0.1)) == [memory, rule.genome]
    assert order(raced(memory, -0.3, 0.1)) == [rule.genome]
