"""`evogate up` as a person runs it: one command, a client, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

FREE = {f"EVOGATE_{name}": "0" for name in ("GATEWAY__PORT", "GATEWAY__ADMIN_PORT", "EVOLVER__PORT")}


def environ(home: Path) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("EVOGATE_")}
    return {**clean, **FREE, "EVOGATE_HOME": str(home)}


@contextmanager
def up(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The whole thing with the sandbox provider; yields the process and the gateway's address."""
    command = [sys.executable, "-m", "gateway", "up"]
    with subprocess.Popen(command, env=environ(home), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert "point your client at" in line, line
            yield process, json.loads((home / "gateway.json").read_bytes())["url"]
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0


def evogate(home: Path, *arguments: str) -> Any:
    command = [sys.executable, "-m", "gateway", *arguments, "--json"]
    done = subprocess.run(command, env=environ(home), capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def test_a_client_is_answered_and_can_be_told_why(tmp_path: Path) -> None:
    question: list[Any] = [{"role": "user", "content": "What is 17 times 23?"}]
    with up(tmp_path) as (_, address), OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        answer = client.chat.completions.with_raw_response.create(model="assistant", messages=question)
        assert answer.parse().choices[0].message.content
        request_id = answer.headers["x-evogate-request-id"]
        assert answer.headers["x-evogate-version"] == "v1.0"
        client.post("/feedback", body={"request_id": request_id, "label": "up"}, cast_to=object)
        other: list[Any] = [{"role": "user", "content": "What is 12 times 12?"}]
        chunks = list(client.chat.completions.create(model="assistant", messages=other, stream=True))
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert all(chunk.usage is None for chunk in chunks)
        status = evogate(tmp_path, "status")
        assert status["gateway"]["arms"][0]["label"] == "v1.0"
        assert "should_trigger" in status["evolver"]
        explained = evogate(tmp_path, "explain", request_id)
        assert explained["assignment"]["arms"] == [[explained["assignment"]["arm"], 1.0]]
        assert explained["outcome"]["status"] == 200
        assert [signal["data"]["score"] for signal in explained["signals"]] == [1.0]
    assert explained["change"]["exact"]
    assert any("You are a helpful assistant." in line for line in explained["change"]["diff"])


def test_a_crashed_child_is_started_again_and_its_recordings_go_on(tmp_path: Path) -> None:
    question: list[Any] = [{"role": "user", "content": "Hello"}]
    with up(tmp_path):
        first = json.loads((tmp_path / "gateway.json").read_bytes())
        os.kill(first["pid"], signal.SIGKILL)
        deadline = time.monotonic() + 30
        while (now := json.loads((tmp_path / "gateway.json").read_bytes())) == first:
            assert time.monotonic() < deadline, "the gateway was not started again"
            os.sched_yield()
        with OpenAI(base_url=f"{now['url']}/v1", api_key="none") as client:
            assert client.chat.completions.create(model="assistant", messages=question).choices


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_demo_loses_nothing_and_promotes_nothing_worse(tmp_path: Path) -> None:
    """How soon it promotes depends on the machine; the README's table says what five longer runs on a quiet one did."""
    command = [sys.executable, "-m", "gateway", "up", "--demo", "--seconds", "120", "--seed", "3", "--json"]
    done = subprocess.run(command, env=environ(tmp_path), capture_output=True, text=True, timeout=230, check=True)
    found = json.loads(done.stdout)
    assert found["records_lost"] == 0
    assert "RateLimitError" not in found["errors"]  # one credential sends all of it, feedback too
    assert found["requests"] > 2_000
    assert found["versions"][0]["version"] == "v1.0"
    assert len(found["versions"]) >= 1 + len(found["promoted"])  # one may have been ejected since
    if found["promoted"]:
        assert found["after"]["quality"]["n"] > 50
        assert found["after"]["quality"]["mean"] > found["before"]["quality"]["mean"]
