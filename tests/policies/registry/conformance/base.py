"""The fixtures of the suite, and values to store."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from policies.genome import Genome, Lineage
from policies.registry import Registry
from policies.registry.values import Candidate

Connect = Callable[[], Awaitable[Registry]]
ROOT = Path(__file__).parents[4]  # where a child process finds this package
NOW = 1_760_000_000.25
LINEAGE = Lineage(source="patch", operator="add_rule", parents=("a" * 32,), generation=2, finding="f1", explanation="é")


def genome(rule: str = "Be exact.", **strategy: Any) -> Genome:
    return Genome.model_validate({"prompt": {"rubric": [rule]}, "strategy": strategy})


def candidate(candidate_id: str = "c1", *, rule: str = "Be exact.", policy: str = "support", **more: Any) -> Candidate:
    values: dict[str, Any] = {
        "layer": "prompt",
        "genome": genome(rule),
        "base": "v1.0",
        "lineage": LINEAGE,
        "state": "proposed",
        "state_since": NOW,
        "created_at": NOW,
    }
    return Candidate(id=candidate_id, policy=policy, **(values | more))


class Conformance:
    """What the families share."""

    @pytest.fixture
    def connect(self) -> Connect:
        raise NotImplementedError("an adapter's test class opens its store here")

    @pytest.fixture
    async def registry(self, connect: Connect) -> Registry:
        return await connect()
