"""A search in a process of its own, to be killed: `python -m tests.evolver.search.killed JOURNAL PAID`.

Every evaluation is written to PAID before it is answered, as a provider would put it on the bill. The process says
"generation N" as it goes, and waits a moment in each evaluation, so that there is something to interrupt.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from config.evolving import Search
from evolver.examples import Example
from evolver.search import Journal, Plan, Score, SearchResult
from policies.genome import Genome, Lineage
from tests.evolver.search.worlds import BASE, EXAMPLES, MATERIAL, World

CALLS = 400


def plan() -> Plan:
    return Plan(
        seeds=((BASE, Lineage(source="seed")),),
        examples=tuple(EXAMPLES),
        settings=Search(num_generations=8, population=6, calls_per_cycle=CALLS, usd_per_cycle=10.0),
        material=MATERIAL,
        rng=np.random.default_rng(5).bit_generator.state,
        began=0.0,
    )


async def run(journal: Journal | None, paid: Path, pause_s: float) -> SearchResult:
    world = World(5)

    async def evaluate(genome: Genome, examples: Sequence[Example]) -> list[Score]:
        with paid.open("a", encoding="utf-8") as file:
            file.writelines(f"{genome.content_hash} {example.id}\n" for example in examples)
        await asyncio.sleep(pause_s)
        return await world.evaluate(genome, examples)

    made = plan() if journal is None else Plan.from_json(journal.plan)
    assert made is not None
    return await made.run(
        evaluate,
        ceiling=lambda genome, example: 0.001,
        journal=journal,
        on_generation=lambda line: print(f"generation {line.number}", flush=True),  # noqa: T201 (the test waits for it)
    )


def main(journal_file: Path, paid: Path) -> None:
    journal = Journal.resume(journal_file) or Journal.begin(journal_file, plan().to_json())
    result = asyncio.run(run(journal, paid, 0.01))
    journal.close(done=True)
    print(json.dumps(result.to_dict()), flush=True)  # noqa: T201 (the test reads it)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
