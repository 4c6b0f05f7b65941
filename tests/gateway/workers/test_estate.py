"""Fewer workers than before: what one that no longer runs has left behind is settled in its name."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

from gateway.pipeline.estate import FOREVER
from policies.evidence.ledger import FOLDED
from tests.gateway.pipeline.conftest import running, settings
from tests.gateway.pipeline.experiments import canary, genome
from tests.gateway.workers.conftest import sandbox

__all__ = ["sandbox"]
PATIENT = {"breaker": {"window_s": 60, "deadline_s": 0.2}}


async def test_its_units_rewards_and_pins_are_taken_over(sandbox: str, tmp_path: Path) -> None:
    config = settings(sandbox, PATIENT)
    async with running(config, tmp_path) as gateway:
        _, experiment = await canary(gateway, "c1", genome("Answer briefly."))
        for n in range(20):
            await gateway.ask(headers={"x-evogate-session": f"s{n}"})
        pinned = {frame["unit"]: frame["arm"] for frame in gateway.frames("assignment")}
        production = gateway.core.epoch.policies["assistant"].production.hash
    # What w0 has recorded and told becomes w1's, with all that it had told of rewards forgotten.
    shutil.move(tmp_path / "spool" / "w0", tmp_path / "spool" / "w1")
    with contextlib.closing(sqlite3.connect(tmp_path / "registry.db")) as registry, registry:
        registry.execute("DELETE FROM totals")

    async with running(config, tmp_path) as heir:
        stored = heir.worker._registry
        await heir.until(lambda: not heir.worker.peers.estates)
        rows = await stored.totals("evidence", experiment.id)
        theirs = {row.bucket: row for row in rows if row.writer == "w1"}
        assert theirs[FOLDED].watermark == FOREVER
        sums = [row.data["answer"] for row in theirs.values() if "answer" in row.data]
        assert sum(each["production"][0] + each["challenger"][0] for each in sums) == 20
        await heir.worker.sync()
        assert heir.core.posteriors.of("assistant", production).weight > 3.0
        assert heir.core.evidence.running[experiment.id].peers
        for n in range(20):
            await heir.ask(headers={"x-evogate-session": f"s{n}"})
        frames = heir.frames("assignment")
        assert {frame["why"] for frame in frames} == {"pin"}
        assert {frame["unit"]: frame["arm"] for frame in frames} == pinned
