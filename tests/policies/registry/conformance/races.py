"""Rule 1 and compare-and-set where several connections and processes write at once."""

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from typing import Any

import pytest

from policies.genome import Genome, Lineage
from policies.registry import Registry
from tests.policies.registry.conformance.base import NOW, ROOT, Conformance, Connect, candidate
from tests.policies.registry.conformance.experiments import opened

PROCESSES = 2


class RacesConformance(Conformance):
    @pytest.fixture
    def racer(self) -> list[str]:
        raise NotImplementedError("an adapter's test class gives the command of a racing process here")

    async def test_tasks_of_one_connection_do_not_mix(self, registry: Registry) -> None:
        versions = await asyncio.gather(
            *(
                registry.add_version("p", Genome(), Lineage(source="seed"), who=str(n), why="", now=NOW)
                for n in range(20)
            )
        )
        assert sorted(version.number for version in versions) == [(1, minor) for minor in range(20)]
        assert {version.who for version in await registry.versions("p")} == {str(n) for n in range(20)}

    async def test_one_of_many_connections_adds_the_candidate(self, connect: Connect) -> None:
        registries = [await connect() for _ in range(4)]
        added = await asyncio.gather(*(r.add_candidate(candidate(f"c{n}")) for n, r in enumerate(registries)))
        assert sorted(added) == [False, False, False, True]

    async def test_ordinals_of_many_connections_differ(self, connect: Connect) -> None:
        registries = [await connect() for _ in range(4)]
        experiments = await asyncio.gather(*(opened(r) for r in registries for _ in range(3)))
        assert sorted(experiment.ordinal for experiment in experiments) == list(range(1, 13))

    async def test_racing_processes_lose_nothing_and_win_nothing_twice(
        self, registry: Registry, racer: list[str]
    ) -> None:
        await registry.add_version("support", Genome(), Lineage(source="seed"), who="w", why="y", now=NOW)
        processes = [await _start([*racer, f"p{number}"]) for number in range(PROCESSES)]
        try:
            results = await _run_together(processes)
        finally:
            for process in processes:
                await _stop(process)
        pointers = await registry.pointers("support")
        moves = [(pointer.revision, pointer.who) for pointer in pointers]
        assert sorted(tuple(won) for result in results for won in result["moves"]) == moves
        assert sorted(o for result in results for o in result["ordinals"]) == list(range(1, len(moves) + 1))
        assert all(result["moves"] for result in results)
        assert all(sum(added) == 1 for added in zip(*(result["added"] for result in results), strict=True))


async def _start(command: list[str]) -> Process:
    return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=ROOT)


async def _run_together(processes: list[Process]) -> list[dict[str, list[Any]]]:
    """Start all once all are open, then collect what each says it has done."""
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"open\n"
    outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    return [json.loads(output) for output, _ in outputs]


async def _stop(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
