"""Rule 4: one row per kind, subject, writer and bucket, replaced whole."""

from dataclasses import replace

from policies.registry import Registry
from policies.registry.values import Totals
from tests.policies.registry.conformance.base import NOW, Conformance, Connect


def row(subject: str = "x1", writer: str = "w0", bucket: int = 5, n: int = 1) -> Totals:
    return Totals("evidence", subject, writer, bucket, {"n": n, "wealth": {"1": 0.25}}, NOW - 1, NOW + n)


class TotalsConformance(Conformance):
    async def test_rows_read_as_they_were_written(self, registry: Registry, connect: Connect) -> None:
        rows = [row(bucket=5), row(bucket=5, writer="w1"), row(bucket=10)]
        await registry.put_totals(rows)
        assert await (await connect()).totals("evidence", "x1") == rows

    async def test_writing_twice_is_harmless(self, registry: Registry) -> None:
        rows = [row(), row(writer="w1")]
        for _ in range(3):
            await registry.put_totals(rows)
        assert await registry.totals("evidence") == rows

    async def test_a_row_replaces_its_predecessor_whole(self, registry: Registry) -> None:
        await registry.put_totals([row(n=1), row(n=1, writer="w1")])
        grown = replace(row(n=7), data={"other": True}, watermark=NOW + 3)
        await registry.put_totals([grown])
        assert await registry.totals("evidence", "x1") == [grown, row(n=1, writer="w1")]

    async def test_the_last_of_one_call_wins(self, registry: Registry) -> None:
        await registry.put_totals([row(n=1), row(n=2)])
        assert [found.data["n"] for found in await registry.totals("evidence")] == [2]

    async def test_kinds_and_subjects_are_apart(self, registry: Registry) -> None:
        posterior = replace(row("g1"), kind="posterior", bucket=0)
        await registry.put_totals([row("x1"), row("x2"), posterior])
        assert await registry.totals("posterior") == [posterior]
        assert [found.subject for found in await registry.totals("evidence")] == ["x1", "x2"]
        assert await registry.totals("posterior", "x1") == []

    async def test_nothing_is_fine(self, registry: Registry) -> None:
        await registry.put_totals([])
        assert await registry.totals("evidence") == []
