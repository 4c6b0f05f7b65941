"""A process that races on one registry: `python -m tests.policies.registry.racer FILE-OR-URL NAME`."""

import asyncio
import json
import sys
from pathlib import Path

from policies.errors import ConflictError
from policies.registry import Registry, SqliteRegistry
from policies.registry.postgres import PostgresRegistry
from tests.policies.registry.conformance.base import NOW, candidate

ROUNDS = 25


async def race(registry: Registry, name: str) -> dict[str, list[object]]:
    """Win `ROUNDS` moves, open as many experiments, and try to add the same candidates as everybody."""
    done: dict[str, list[object]] = {"moves": [], "ordinals": [], "added": []}
    while len(done["moves"]) < ROUNDS:
        pointer = await registry.production("support")
        revision = pointer.revision if pointer else 0
        try:
            moved = await registry.move("support", "v1.0", expected_revision=revision, who=name, why="", now=NOW)
        except ConflictError:
            continue
        done["moves"].append([moved.revision, moved.who])
        experiment = await registry.open_experiment("support", "c", "v1.0", salt="", counted=True, now=NOW)
        done["ordinals"].append(experiment.ordinal)
        rule = f"rule {len(done['moves'])}"
        done["added"].append(await registry.add_candidate(candidate(f"{name}-{rule}", rule=rule)))
    return done


def opened(place: str) -> SqliteRegistry | PostgresRegistry:
    if place.startswith("postgresql:"):
        return PostgresRegistry(place, timeout_s=30.0)
    return SqliteRegistry(Path(place), busy_timeout_s=30.0)


async def main(place: str, name: str) -> None:
    async with opened(place) as registry:
        print("open", flush=True)  # noqa: T201
        sys.stdin.readline()
        print(json.dumps(await race(registry, name)))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
