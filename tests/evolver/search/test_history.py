"""The history's figures, the bar, restarts, and what ends a search early."""

import io
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from config.evolving import Search
from evolver.examples import Example
from evolver.search import Breeding, Budget, Generation, Material, Score, hypervolume, progress, search
from evolver.search.breeding import RESTART
from policies.errors import ProviderError
from policies.genome import Genome
from tests.evolver.search.worlds import BASE, EXAMPLES, MATERIAL, World

corner = st.integers(0, 4)


@given(st.lists(st.tuples(corner, corner, corner, corner), max_size=7))
def test_hypervolume_is_the_cells_that_points_cover(points: list[tuple[int, ...]]) -> None:
    covered = {cell for point in points for cell in np.ndindex(*point)}
    assert hypervolume(points, (0, 0, 0, 0)) == pytest.approx(len(covered))


def test_points_below_the_reference_count_not() -> None:
    assert hypervolume([(2.0, 0.5), (0.5, 9.0), (3.0, 1.5)], (1.0, 1.0)) == pytest.approx(1.0)


async def test_the_hypervolume_grows_as_the_search_finds_something() -> None:
    settings = Search(num_generations=12, population=8)
    result = await search(
        [BASE],
        World(3, noise=0.02).evaluate,
        examples=EXAMPLES,
        settings=settings,
        rng=np.random.default_rng(3),
        breeding=Breeding(MATERIAL, single_layer=False),
        budget=Budget(calls=600, usd=10.0),
    )
    assert result.history[-1].hypervolume > result.history[0].hypervolume + 0.1
    assert all(0.0 <= line.hypervolume <= 1.0 for line in result.history)


@pytest.mark.parametrize("restarts", [0, 2])
async def test_a_settled_search_starts_afresh_and_keeps_its_leader(restarts: int) -> None:
    async def flat(genome: Genome, examples: Sequence[Example]) -> list[Score]:
        return [Score(0.9 if genome.prompt.cot else 0.5, 100.0, 0.0)] * len(examples)

    result = await search(
        [BASE],
        flat,
        examples=EXAMPLES,
        settings=Search(num_generations=60, population=4, restarts=restarts, early_stop_threshold=1.0),
        rng=np.random.default_rng(1),
        breeding=Breeding(MATERIAL),
        budget=Budget(calls=100_000, usd=1.0),
    )
    assert result.history[-1].restarts == restarts
    assert "has led" in result.stopped
    assert result.ranked[0].genome.prompt.cot
    best = [line.best_quality for line in result.history]
    assert best[-1] >= max(best) - 0.05


async def test_walks_are_said_to_be_restarts() -> None:
    seen: list[str] = []

    async def flat(genome: Genome, examples: Sequence[Example]) -> list[Score]:
        return [Score(0.5)] * len(examples)

    result = await search(
        [BASE],
        flat,
        examples=EXAMPLES,
        settings=Search(num_generations=30, population=4, restarts=1),
        rng=np.random.default_rng(2),
        breeding=Breeding(Material(model_keys=("large", "small"), rules=MATERIAL.rules)),
        budget=Budget(calls=100_000, usd=1.0),
        on_generation=lambda line: seen.append(line.best),
    )
    assert any(one.lineage.operator == RESTART for one in result.ranked) or len(seen) > 6
    assert len(result.history) > 10


async def test_a_production_that_cannot_be_measured_ends_the_search_at_once() -> None:
    calls = 0

    async def never(genome: Genome, examples: Sequence[Example]) -> list[Score]:
        nonlocal calls
        calls += 1
        raise ProviderError("the upstream does not answer")

    result = await search(
        [BASE], never, examples=EXAMPLES, settings=Search(usd_per_cycle=1.0), rng=np.random.default_rng(0)
    )
    assert result.ranked == ()
    assert "could not be measured" in result.stopped
    assert calls == 2


async def test_a_budget_of_zero_calls_nothing() -> None:
    async def never(genome: Genome, examples: Sequence[Example]) -> list[Score]:
        raise AssertionError("called")

    settings = Search(calls_per_cycle=0)
    result = await search([BASE], never, examples=EXAMPLES, settings=settings, rng=np.random.default_rng(0))
    assert (result.ranked, result.calls, result.stopped) == ((), 0, "budget used up")


def line(number: int) -> Generation:
    return Generation(number, "b", 0.5 + number / 10, 0.4, 2, 0.1, 0, number * 10, 0.01, {})


def test_a_terminal_sees_a_bar_and_a_file_nothing() -> None:
    screen, log = io.StringIO(), io.StringIO()
    for file, terminal in ((screen, True), (log, False)):
        with progress("support", 3, console=Console(file=file, force_terminal=terminal, width=120)) as tell:
            tell(line(0))
            tell(line(3))
    assert "quality 0.800, 30 calls" in screen.getvalue()
    assert "4/4" in screen.getvalue()
    assert log.getvalue() == ""
