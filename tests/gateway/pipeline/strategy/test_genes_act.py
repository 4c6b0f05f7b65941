"""The closed loop of strategy genes, through a real gateway."""

from pathlib import Path

import pytest

from tests.gateway.pipeline.strategy.conftest import bench
from tests.gateway.pipeline.strategy.genes import STRATEGIES, Result, Row


async def served(home: Path, strategy: dict[str, object], row: Row) -> Result:
    async with bench(home, strategy, row.reply) as found:
        found.teach(row.known)
        text = await found.ask(**row.request)
        assert sum(found.gateway.core.fall_open.counts.values()) == 0, found.gateway.core.fall_open.last
        return Result(text, found.sent, found.outcome["strategy"] or {})


@pytest.mark.parametrize("gene", STRATEGIES)
async def test_a_gene_shows_in_how_a_request_is_served(gene: str, tmp_path: Path) -> None:
    row = STRATEGIES[gene]
    assert row.effect(await served(tmp_path / "with", {**row.others, gene: row.value}, row))
    assert not row.effect(await served(tmp_path / "without", dict(row.others), row))
