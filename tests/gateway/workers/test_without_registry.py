"""Several workers that start while their PostgreSQL is away: all serve, all join, and the file's change comes then."""

from itertools import count
from pathlib import Path

import pytest

from policies.errors import OperatorError
from policies.registry import open_registry
from tests.gateway.workers.conftest import Several, several
from tests.policies.registry.server import running


async def joined(gateway: Several) -> tuple[bool, float, float]:
    """Whether all workers have joined, as the status and the metrics say, and how many had to start without."""
    numbers = await gateway.numbers()
    shown = (await gateway.admin("status"))["registry"]["joined"]
    return shown, numbers["evogate_registry_joined"], numbers["evogate_registry_absent_restarts_total"]


@pytest.mark.timeout(60)
async def test_all_of_them_serve_and_join(sandbox: str, tmp_path: Path) -> None:
    with running() as server:
        registry = {"url": server.url(), "node": "here"}
        files = [tmp_path / "home" / f"last-seen.here.{name}.json" for name in ("w0", "w1")]
        async with several(sandbox, tmp_path, registry=registry) as gateway:
            assert (await gateway.ask())[0] == 200
            assert await joined(gateway) == (True, 1.0, 0.0)
            await gateway.until(lambda: all(file.exists() for file in files))
        server.stop("immediate")
        files[1].unlink()  # another's will do

        async with several(sandbox, tmp_path, rubric="Answer newly.", registry=registry) as gateway:
            answers = [await gateway.ask(str(n)) for n in range(10)]
            assert {(code, headers["x-evogate-version"]) for code, headers, _ in answers} == {(200, "v1.0")}
            assert await joined(gateway) == (False, 0.0, 2.0)
            assert (await gateway.reload())[0] == 422, "nothing changes meanwhile"
            server.start()
            while await joined(gateway) != (True, 1.0, 2.0):
                pass
            async with open_registry(tmp_path, server.url()) as rows:
                while (pointer := await rows.production("assistant")) is None or pointer.version != "v1.1":
                    pass
            sessions = map(str, count())  # a conversation keeps the version that it began with
            while {(await gateway.ask("then", next(sessions)))[1]["x-evogate-version"] for _ in range(6)} != {"v1.1"}:
                pass


async def test_none_starts_that_has_never_seen_it(sandbox: str, tmp_path: Path) -> None:
    registry = {"url": f"postgresql://u@/x?host={tmp_path}", "node": "here"}
    with pytest.raises(OperatorError, match="can't be reached; start the server"):
        async with several(sandbox, tmp_path, registry=registry):
            pass
