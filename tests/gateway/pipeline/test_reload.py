"""Hot reload: whole or not at all, running answers stay on what they began with."""

import asyncio
from pathlib import Path

import pytest

from gateway.pipeline.routes import refuse_self
from gateway.process import Process
from policies.errors import OperatorError
from tests.gateway.pipeline.conftest import running, settings
from tests.gateway.pipeline.scripted import Visit, completion, provider, whole


async def test_a_changed_genome_is_an_operators_version(sandbox: str, tmp_path: Path) -> None:
    async with running(settings(sandbox), tmp_path) as gateway:
        changed = {"genome": {"prompt": {"rubric": "Answer in Latin."}, "strategy": {"model_key": "small"}}}
        await gateway.worker.reload(settings(sandbox, changed))
        _, headers, body = await gateway.ask()
        assert (headers["x-evogate-version"], body["model"]) == ("v1.1", "sandbox-small")
        await gateway.worker.reload(settings(sandbox, changed))
        pointers = await gateway.worker._registry.pointers("assistant")
        assert [(p.version, p.who) for p in pointers] == [("v1.0", "config"), ("v1.1", "config")]


async def test_an_unchanged_file_never_moves_the_pointer(sandbox: str, tmp_path: Path) -> None:
    async with running(settings(sandbox), tmp_path) as gateway:
        registry = gateway.worker._registry
        first = (await registry.versions("assistant"))[0]
        better = first.genome.model_copy(update={"prompt": first.genome.prompt.model_copy(update={"cot": True})})
        version = await registry.add_version("assistant", better, first.lineage, who="evolver", why="better", now=1.0)
        await registry.move("assistant", version.label, expected_revision=1, who="evolver", why="better", now=1.0)
    async with running(settings(sandbox), tmp_path) as again:
        _, headers, _ = await again.ask()
        assert headers["x-evogate-version"] == "v1.1"


async def test_an_answer_in_flight_ends_on_the_upstream_it_began_with(sandbox: str, tmp_path: Path) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def script(visit: Visit) -> None:
        asked.set()
        await go.wait()
        await visit.send(whole(completion("from the old one")))

    async with provider(script) as base, running(settings(base), tmp_path) as gateway:
        answer = asyncio.create_task(gateway.ask())
        await asked.wait()
        await gateway.worker.reload(settings(sandbox))
        assert (await gateway.ask("new"))[0] == 200
        go.set()
        _, _, body = await answer
        assert body["choices"][0]["message"]["content"] == "from the old one"


async def test_a_bad_configuration_leaves_the_old_in_force(sandbox: str, tmp_path: Path) -> None:
    async with running(settings(sandbox), tmp_path) as gateway:
        before = gateway.core.epoch.policies["assistant"].production
        with pytest.raises(OperatorError, match="own listener"):
            await gateway.worker.reload(settings(f"{gateway.url}/v1"))
        with pytest.raises(OperatorError, match="can yield"):
            await gateway.worker.reload(settings(sandbox, {"client_wins": ["nonsense"]}))
        assert gateway.core.epoch.policies["assistant"].production.hash == before.hash
        assert (await gateway.ask())[0] == 200
        async with gateway.http.get(f"{gateway.process.admin_url}/admin/status") as answer:
            shown = (await answer.json())["configuration"]
        assert shown["failures"] == 2
        assert "nonsense" in shown["last_error"]


async def test_a_gateway_pointed_at_itself_refuses(tmp_path: Path, unused_tcp_port: int) -> None:
    values = settings(f"http://localhost:{unused_tcp_port}/v1", gateway={"port": unused_tcp_port, "admin_port": 0})
    with pytest.raises(OperatorError, match="own listener"):
        async with Process(None, values, tmp_path).serving():
            pass


def test_another_port_of_this_machine_is_fine() -> None:
    refuse_self(settings("http://127.0.0.1:9000/v1").upstreams, "127.0.0.1", 8800)
