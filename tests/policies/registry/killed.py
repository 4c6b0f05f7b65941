"""A process to be killed: `python -m tests.policies.registry.killed FILE PREFIX` buries candidates and says which."""

import asyncio
import sys
from itertools import count
from pathlib import Path

from policies.registry import SqliteRegistry
from tests.policies.registry.conformance.base import NOW, candidate


async def main(path: Path, prefix: str) -> None:
    async with SqliteRegistry(path) as registry:
        for number in count():
            here = candidate(f"{prefix}-{number}", rule=f"{prefix}-{number}")
            await registry.add_candidate(here)
            await registry.advance(here, "fail", who="killed", reason="", now=NOW)
            print(here.id, flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
