"""A cycle on recorded traffic of the sandbox: findings, proposals, evaluation, candidates."""

from random import Random

from evolver import cycle, searching
from evolver.examples import Example
from evolver.proposals import Proposal
from evolver.proposals.thrift import OPERATOR as THRIFT
from evolver.search.values import Objectives, Ranked, SearchResult
from policies.genome import Genome, Lineage
from tests.evolver.support import POLICY, World, exchange, make_settings, signal, with_rule

SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "t", "schema": {"type": "object", "required": ["city"], "properties": {"city": {}}}},
}


async def failing_traffic(world: World, count: int = 120, *, arm: str | None = None) -> None:
    """Extraction answers are no JSON half of the time, arithmetic goes well; served by production, or by `arm`."""
    arm = arm or world.production.genome.content_hash
    frames: list[object] = []
    for number in range(count):
        at = world.now - 1_000 + number
        if number % 2:
            text = f"What is {number} plus {number % 7}?"
            frames += exchange(number, at=at, text=text, answer=str(number), arm=arm)
            continue
        bad = number % 4 == 0
        frames += exchange(
            number,
            at=at,
            text=f"Extract the city from this letter as JSON: I moved to Berlin in {1900 + number}.",
            answer="The city is Berlin" if bad else '{"city": "Berlin"}',
            failure="invalid_output" if bad else None,
            extra={"response_format": SCHEMA},
            arm=arm,
        )
        if bad:
            frames.append(signal(number, "correction", at=at + 1))
    await world.record(frames)  # type: ignore[arg-type]


async def test_findings_become_candidates(served: World) -> None:
    url = served.settings.upstreams["sandbox"].base_url
    search = {"num_generations": 1, "population": 4, "usd_per_cycle": 0.5}
    served.configure(make_settings(url, search=search))
    await failing_traffic(served)
    result = await cycle.run(POLICY, served.context())
    assert result.findings > 0
    assert result.proposals > 0
    assert result.evaluations > 0
    assert 0 < result.usd <= 0.5
    live = await served.registry.candidates(POLICY, live=True)
    assert [candidate.id for candidate in live] == list(result.added)
    for candidate in live:
        assert candidate.genome.changed_layers(served.production.genome) == (candidate.layer,)
        assert candidate.state == "proposed"
    assert {finding.policy for finding in await served.registry.findings(POLICY)} == {POLICY}


async def test_what_a_challenger_gets_wrong_is_no_finding(world: World) -> None:
    world.configure(make_settings("https://api.example.com/v1"))
    await failing_traffic(world, arm="challenger")
    result = await cycle.run(POLICY, world.context())
    assert (result.examples, result.findings) == (0, 0)


async def test_without_a_provider_the_proposals_stand_in_the_proposers_order(world: World) -> None:
    world.configure(make_settings("https://api.example.com/v1"))
    await failing_traffic(world)
    result = await cycle.run(POLICY, world.context())
    assert result.evaluations == 0
    assert 0 < len(result.added) <= cycle.ADDED
    assert world.provider.calls == 0


async def test_no_more_than_four_live_candidates_of_one_layer(world: World) -> None:
    world.configure(make_settings("https://api.example.com/v1"))
    await failing_traffic(world)
    for _ in range(4):
        await cycle.run(POLICY, world.context())
    layers = [candidate.layer for candidate in await world.registry.candidates(POLICY, live=True)]
    assert layers
    assert max(layers.count(layer) for layer in layers) <= cycle.LIVE_PER_LAYER


async def test_what_failed_is_not_proposed_again(world: World) -> None:
    world.configure(make_settings("https://api.example.com/v1"))
    await failing_traffic(world)
    first = await cycle.run(POLICY, world.context())
    hashes = set()
    for name in first.added:
        candidate = await world.registry.candidate(name)
        hashes.add(candidate.genome.content_hash)
        await world.registry.advance(candidate, "fail", who="evolver", reason="bad", now=world.now)
    await cycle.run(POLICY, world.context())
    again = {c.genome.content_hash for c in await world.registry.candidates(POLICY, live=True)}
    assert not hashes & again


async def test_nothing_recorded_nothing_done(world: World) -> None:
    result = await cycle.run(POLICY, world.context())
    assert result.added == ()
    assert "no recorded request" in result.said


def example(number: int, failure: str | None) -> Example:
    fields = {"id": f"r{number}", "at": 0.0, "policy": POLICY, "unit": "u", "turn": 1, "arm": "a", "version": "v1.0"}
    return Example(**fields, intent="", model="m", stream=False, body={}, answer=None, failure=failure)  # type: ignore[arg-type]


def test_the_sample_is_half_bad_where_it_can_be() -> None:
    many = [example(n, "refusal" if n % 10 == 0 else None) for n in range(1_000)]
    chosen = searching.sample(many, Random(1))
    assert len(chosen) == searching.SEARCHED
    assert sum(one.bad for one in chosen) == searching.SEARCHED // 2
    few = [example(0, "refusal"), example(1, "rate_limited"), example(2, None)]
    assert {one.id for one in searching.sample(few, Random(1))} == {"r0", "r2"}


def _raced(genome: Genome, gain: float) -> Ranked:
    return Ranked(genome, Lineage(source="patch"), Objectives(0.5, 1.0, 0.1, 0.5), gain, gain - 0.1, 20)


def test_the_proposers_first_choice_is_tried_unless_it_was_measured_to_be_worse(world: World) -> None:
    base = world.production.genome
    first, second = (
        Proposal(with_rule(base, text), "prompt", Lineage(source="patch"), 0.3) for text in ("One.", "Two.")
    )

    def order(*raced: Ranked) -> list[Genome]:
        found = SearchResult((_raced(base, 0.0), *raced), (), 10, 0.1, "budget")
        return [genome for genome, _, _ in cycle._ranked(base, [first, second], found)]

    assert order(_raced(second.genome, 0.1)) == [first.genome, second.genome]
    assert order(_raced(second.genome, 0.1), _raced(first.genome, -0.01)) == [second.genome]
    assert order(_raced(first.genome, 0.02), _raced(second.genome, 0.1)) == [second.genome, first.genome]


def test_the_best_saving_is_tried_unless_it_was_measured_to_lose_quality(world: World) -> None:
    base = world.production.genome
    frugal = [
        Proposal(with_rule(base, text), "prompt", Lineage(source="patch", operator=f"{THRIFT}{text}"), 0.1)
        for text in ("model", "brief")
    ]
    first = Proposal(with_rule(base, "One."), "prompt", Lineage(source="patch"), 0.3)

    def order(*raced: Ranked) -> list[Genome]:
        found = SearchResult((_raced(base, 0.0), *raced), (), 10, 0.1, "budget")
        return [genome for genome, _, _ in cycle._ranked(base, [first, *frugal], found)]

    assert order() == [first.genome, frugal[0].genome]
    assert order(_raced(frugal[0].genome, -0.05)) == [first.genome, frugal[0].genome]
    assert order(_raced(frugal[0].genome, -0.2)) == [first.genome, frugal[1].genome]
