"""A process to be killed: it buries candidates and says which.

`python -m tests.policies.registry.killed FILE-OR-URL PREFIX`
"""

import asyncio
import sys
from itertools import count

from tests.policies.registry.conformance.base import NOW, candidate
from tests.policies.registry.racer import opened


async def main(place: str, prefix: str) -> None:
    async with opened(place) as registry:
        for number in count():
            here = candidate(f"{prefix}-{number}", rule=f"{prefix}-{number}")
            await registry.add_candidate(here)
            await registry.advance(here, "fail", who="killed", reason="", now=NOW)
            print(here.id, flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
