"""What is read of a topic is everybody's."""

from typing import Any

import numpy as np

from evolver.analysis import analyze
from evolver.analysis.topics import in_turn
from tests.evolver.analysis.worlds import example, recordings


def test_no_tenant_fills_what_is_read_of_a_topic() -> None:
    loud = [example(n, tenant="loud") for n in range(50)]
    others = [example(100 + n, tenant=f"t{n % 3}") for n in range(9)]
    first = in_turn([*loud, *others])[:12]
    assert sum(one.tenant == "loud" for one in first) == 3
    assert {one.tenant for one in first} == {"loud", "t0", "t1", "t2"}


def test_without_tenants_a_conversation_is_a_client_and_the_order_stays() -> None:
    alone = [example(n) for n in range(6)]
    assert in_turn(alone) == alone
    turns = [example(n, unit="long") for n in range(4)]
    assert [one.id for one in in_turn([*turns, *alone[4:]])] == ["e0", "e4", "e5", "e1", "e2", "e3"]


def test_nobody_is_lost() -> None:
    mixed = [example(n, tenant="ab"[n % 2], unit=f"u{n % 3}") for n in range(11)]
    assert sorted(one.id for one in in_turn(mixed)) == sorted(one.id for one in mixed)
    assert in_turn([]) == []


def test_the_records_behind_a_finding_are_everybodys() -> None:
    def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
        tenant = "loud" if rng.random() < 0.9 else f"t{number % 2}"
        return {"tenant": tenant, "failure": "invalid_output"} if topic == "mood" and rng.random() < 0.5 else {}

    examples = recordings(np.random.default_rng(4), 600, plant)
    (finding,) = analyze(examples, policy="p", now=1e9, rng=np.random.default_rng(0))
    tenants = {one.id: one.tenant for one in examples}
    assert sorted(tenants[record] for record in finding.evidence["records"][:3]) == ["loud", "t0", "t1"]
    assert sum(tenants[record] == "loud" for record in finding.evidence["records"]) > 20
