"""Commands find the registry of the configuration in force: named, of the process that runs, or of the environment."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway.cli.common import with_registry
from policies.errors import OperatorError
from policies.genome import Genome, Lineage
from policies.registry import Registry, open_registry


async def versions(registry: Registry) -> int:
    return len(await registry.versions("support"))


@pytest.fixture
def absent(tmp_path: Path) -> str:
    return f"postgresql://u:hunter2@/fleet?host={tmp_path}"


@pytest.mark.parametrize("way", ["EVOGATE_REGISTRY__URL", "EVOGATE_CONFIG", "gateway.json"])
def test_the_fleets_database_is_asked(way: str, absent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "evogate.yaml"
    config.write_text("registry: {url: '${FLEET}'}\nupstreams: {o: {base_url: 'http://x', api_key: '${UNSET}'}}")
    monkeypatch.setenv("FLEET", absent)
    if way == "gateway.json":
        (tmp_path / way).write_text(json.dumps({"config": str(config)}))
    else:
        monkeypatch.setenv(way, absent if way.endswith("URL") else str(config))
    with pytest.raises(OperatorError, match=r"registry postgresql://u@.*/fleet: it can.t be reached"):
        with_registry(tmp_path, versions)


def test_without_one_it_is_the_file_in_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "gateway.json").write_text(json.dumps({"config": str(tmp_path / "removed.yaml")}))
    with pytest.raises(OperatorError, match="holds no EvoGate data"):
        with_registry(tmp_path, versions)

    async def filled() -> None:
        async with open_registry(tmp_path) as registry:
            await registry.add_version("support", Genome(), Lineage(source="seed"), who="w", why="y", now=0.0)

    asyncio.run(filled())
    assert with_registry(tmp_path, versions) == 1
