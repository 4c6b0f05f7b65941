"""The process: it says where it is, ends on a signal, and reports what is wrong in one line."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.evolver.support import POLICY, World, make_settings, make_world


def command(home: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "evolver", "--home", str(home), *more]


@contextmanager
def running(home: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its URL, once it is ready."""
    with subprocess.Popen(command(home, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("ready "), process.communicate(timeout=10)
            yield process, line.split()[-1]
        finally:
            process.kill()


def status(url: str) -> dict[str, object]:
    with urllib.request.urlopen(f"{url}/api/v1/improvement/status", timeout=10) as answer:
        found: dict[str, object] = json.loads(answer.read())
        return found


def configured(path: Path, **policy: object) -> Path:
    settings = make_settings(policy=policy or None, poll_s=0.05).model_dump(mode="json", exclude_defaults=True)
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


async def test_it_runs_and_ends_on_sigterm(world: World, tmp_path: Path) -> None:
    config = configured(tmp_path / "evogate.yaml")
    with running(world.home, "--config", str(config), "--port", "0") as (process, url):
        assert json.loads((world.home / "evolver.json").read_text()) == {"url": url, "pid": process.pid}
        assert status(url)["current_model"] == "v1.0"
        os.kill(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
    assert not (world.home / "evolver.json").exists()


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            command(tmp_path / "home", "--port", port), capture_output=True, text=True, timeout=30, check=False
        )
    assert done.returncode == 2
    assert f"can't listen on 127.0.0.1:{port}" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_an_open_listener_needs_a_token(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path, "--host", "0.0.0.0"), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "token" in done.stderr


def test_an_open_listener_of_one_service_needs_a_token(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path, "--stage", "rank", "--host", "0.0.0.0"),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "token" in done.stderr


def test_a_missing_configuration_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path, "--config", str(tmp_path / "none.yaml")),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "none.yaml" in done.stderr


async def test_once_runs_one_cycle_and_ends(world: World, tmp_path: Path) -> None:
    config = configured(tmp_path / "evogate.yaml")
    process = await asyncio.create_subprocess_exec(
        *command(world.home, "--config", str(config), "--once"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors
    line = json.loads(output)
    assert (line["policy"], line["added"]) == (POLICY, [])


@pytest.mark.slow
def test_simulated_learnings_reach_a_running_evolver_from_the_command(tmp_path: Path) -> None:
    config, home = configured(tmp_path / "evogate.yaml"), tmp_path / "home"
    home.mkdir()

    async def serve_once() -> None:
        async with make_world(home, make_settings()):
            pass

    asyncio.run(serve_once())
    environ = {**os.environ, "EVOGATE_HOME": str(home)}
    with running(home, "--config", str(config), "--port", "0") as (_, url):
        for simulated, runs in (("99", 0), ("100", 1)):
            before = status(url)["last_check_time"]
            command = [sys.executable, "-m", "gateway", "trigger", "--simulate-learnings", simulated]
            done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=True)
            assert "triggered; the evolver starts a cycle" in done.stdout
            while (now := status(url))["last_check_time"] == before or now["running"]:
                pass
            assert now["training_runs"] == runs
