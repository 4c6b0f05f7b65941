"""`evogate rollback` on a gateway of two processes: one layer comes back in both within a poll, the others stay."""

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from policies.genome import LAYERS, Genome, Lineage
from policies.memory import Entry, snapshot_hash
from policies.memory.lines import pack
from policies.registry import open_registry
from policies.registry.values import MemorySnapshot
from tests.gateway.cli.test_commands import answer
from tests.gateway.pipeline.scripted import Visit, completion, provider, whole
from tests.gateway.test_process import process, ready

POLL_S = 0.2
CONFIG = """
upstreams: {{u: {{base_url: "{base}"}}}}
models: {{large: {{upstream: u, model: big}}}}
policies:
  assistant:
    mode: approve
    genome: {{prompt: {{rubric: "Be kind."}}, strategy: {{model_key: large, temperature: 0.7}}}}
    memory_holdout: 0  # else one request in twenty does without, by chance
gateway: {{port: 0, admin_port: 0, poll_s: {poll_s}, workers: 2}}
"""
SECOND = {
    "prompt": {"rubric": ["Be brief."]},
    "strategy": {"model_key": "large", "temperature": 0.1, "max_tokens": 256},
}


async def _echo(visit: Visit) -> None:
    await visit.send(whole(completion(visit.body.decode())))


async def ask(session: aiohttp.ClientSession, url: str) -> tuple[str, dict[str, Any]]:
    """The version that answered, and what the provider was sent. A new connection: any worker may take it."""
    body = {
        "model": "assistant",
        "messages": [{"role": "user", "content": f"hello, which warranty? {time.monotonic_ns()}"}],
    }
    async with session.post(f"{url}/v1/chat/completions", json=body, headers={"connection": "close"}) as found:
        sent = orjson.loads((await found.json())["choices"][0]["message"]["content"])
        return found.headers["x-evogate-version"], sent


async def served(session: aiohttp.ClientSession, url: str, label: str, asked: int = 20) -> dict[str, Any]:
    """Ask until so many new connections in a row were answered by that version: for a poll and what they take."""
    deadline, in_a_row, sent = time.monotonic() + POLL_S + 2.0, 0, dict[str, Any]()
    while in_a_row < asked:
        assert time.monotonic() < deadline, f"{label} is not in force in every worker"
        version, sent = await ask(session, url)
        in_a_row = in_a_row + 1 if version == label else 0
    return sent


async def test_a_layer_comes_back_in_every_worker_and_the_others_stay(tmp_path: Path) -> None:
    config, home = tmp_path / "evogate.yaml", tmp_path / "home"
    async with provider(_echo) as base:
        config.write_text(CONFIG.format(base=base, poll_s=POLL_S))
        async with process(config, home) as child, aiohttp.ClientSession() as session:
            url = await ready(child)
            await served(session, url, "v1.0")
            async with open_registry(home) as registry:
                genome, seed = Genome.model_validate(SECOND), Lineage(source="operator")
                made = await registry.add_version("assistant", genome, seed, who="me", why="both", now=time.time())
                await registry.move("assistant", made.label, expected_revision=1, who="me", why="both", now=time.time())
            sent = await served(session, url, "v1.1")
            assert (sent["messages"][0]["content"], sent["temperature"]) == ("Be brief.", 0.1)

            said = await asyncio.to_thread(answer, home, "rollback", "v1.0", "--layer", "prompt", "--why", "too brief")
            assert said["version"] == "v1.2"
            sent = await served(session, url, "v1.2")
            assert (sent["messages"][0]["content"], sent["temperature"]) == ("Be kind.", 0.1)
            assert sent["max_tokens"] == 256

            await asyncio.to_thread(answer, home, "rollback", "v1.0", "--layer", "strategy")
            sent = await served(session, url, "v1.3")
            assert (sent["messages"][0]["content"], sent["temperature"]) == ("Be kind.", 0.7)
            assert "max_tokens" not in sent
    history = answer(home, "history")
    assert [(one["version"], one["who"].partition(":")[0]) for one in history] == [
        ("v1.0", "config"), ("v1.1", "me"), ("v1.2", "operator"), ("v1.3", "operator"),
    ]  # fmt: skip
    assert [one["evidence"] for one in history[2:]] == [{"restored": "v1.0"}] * 2
    assert "too brief" in history[2]["why"]
    assert all(one["active_s"] > 0.0 for one in history)
    hashes = [{name: layer["hash"] for name, layer in one["layers"].items()} for one in history]
    assert hashes[2]["prompt"] == hashes[0]["prompt"]
    assert (hashes[2]["strategy"], hashes[2]["memory"]) == (hashes[1]["strategy"], hashes[1]["memory"])
    assert hashes[3] == hashes[0]


REMEMBERED = (Entry("kettle", "The Aria kettle has a warranty of seven years."),)


async def publish(home: Path) -> None:
    """Version 1.1: another prompt, another strategy, and a memory, all at once."""
    digest, now = snapshot_hash(REMEMBERED), time.time()
    genome = Genome.model_validate({**SECOND, "memory": {"retriever_topk": 1, "snapshot": digest}})
    async with open_registry(home) as registry:
        row = MemorySnapshot("assistant", digest, "", now, "me", "", len(REMEMBERED))
        await registry.add_memory(row, pack(REMEMBERED))
        made = await registry.add_version("assistant", genome, Lineage(source="operator"), who="me", why="t", now=now)
        await registry.move("assistant", made.label, expected_revision=1, who="me", why="all three", now=now)


def layers(sent: dict[str, Any]) -> dict[str, bool]:
    """Which layers of what went up are those of version 1.1."""
    text = str(sent["messages"])
    return {
        "prompt": "Be brief." in text and "Be kind." not in text,
        "memory": "warranty of seven years" in text,
        "strategy": (sent["temperature"], sent.get("max_tokens")) == (0.1, 256),
    }


@pytest.mark.parametrize("layer", LAYERS)
async def test_each_layer_alone_goes_back_and_comes_again(layer: str, tmp_path: Path) -> None:
    """By the command, on real processes: the layer named is the old one at once, the other two stay what they were."""
    config, home = tmp_path / "evogate.yaml", tmp_path / "home"
    async with provider(_echo) as base:
        config.write_text(CONFIG.format(base=base, poll_s=POLL_S))
        async with process(config, home) as child, aiohttp.ClientSession() as session:
            url = await ready(child)
            await publish(home)
            assert all(layers(await served(session, url, "v1.1")).values())
            for label, source, new in (("v1.2", "v1.0", False), ("v1.3", "v1.1", True)):
                said = await asyncio.to_thread(answer, home, "rollback", source, "--layer", layer)
                assert said["version"] == label
                shown = layers(await served(session, url, label))
                assert shown == {name: name != layer or new for name in LAYERS}
    assert answer(home, "history")[-1]["evidence"] == {"restored": "v1.1"}
