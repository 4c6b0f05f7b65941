"""How long the router takes to decide: `python -m loadtests.router_bench`, a few seconds on one core.

Every model has as many requests on record as are kept. Set `OPENBLAS_NUM_THREADS=1`, as the gateway does. Times are
processor time of the calling thread, as in `loadtests.memory_bench`, and by the clock beside it: on a busy machine the
latter tells of the others.
"""

import sys
import time

import click
import numpy as np

from loadtests.memory_bench import Prose, quantile
from policies.strategy.features import features
from policies.strategy.router import KEPT, Choice, Router, Weights

MODELS = (2, 10)
GOAL_US = {2: 200.0, 10: 200.0}
DECISIONS = 5_000


def trained(models: int, rng: np.random.Generator, prose: Prose) -> Router:
    """A router that has all the requests it can keep."""
    router = Router([Choice(f"m{at}", at / models, 0.1 * at, 0.4 * at) for at in range(models)])
    for number in range(KEPT):
        quality, ms = float(rng.random()), float(rng.uniform(50.0, 900.0))
        router.learn(f"m{number % models}", features(prose.query()), quality, ms=ms, tokens=100)
    return router


def decide(models: int, decisions: int) -> tuple[list[float], list[float]]:
    """Microseconds of each decision: processor time, and by the clock."""
    prose, weights, everyone = Prose(2), Weights(), range(models)
    router = trained(models, np.random.default_rng(1), Prose(1))
    spent, passed = [], []
    for query in [prose.query() for _ in range(decisions)]:
        began, at = time.thread_time_ns(), time.perf_counter_ns()
        router.route(query, 100, everyone, weights)
        spent.append((time.thread_time_ns() - began) / 1e3)
        passed.append((time.perf_counter_ns() - at) / 1e3)
    return spent, passed


@click.command()
@click.option("--decisions", default=DECISIONS, show_default=True)
def main(decisions: int) -> None:
    """Print a table; exit code 1 where a goal is missed."""
    click.echo("| models | p50 us | p99 us | goal | by the clock p50 | p99 |")
    click.echo("| --- | --- | --- | --- | --- | --- |")
    missed = False
    for models in MODELS:
        spent, passed = decide(models, decisions)
        most = quantile(spent, 0.99)
        missed |= most > GOAL_US[models]
        figures = quantile(spent, 0.5), most, GOAL_US[models], quantile(passed, 0.5), quantile(passed, 0.99)
        click.echo(f"| {models} | {' | '.join(f'{figure:.0f}' for figure in figures)} |")
    sys.exit(missed)


if __name__ == "__main__":
    main()
