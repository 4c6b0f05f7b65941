"""News reaches the operator's command as JSON, without a shell, without secrets, and never holds anything up."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from evolver.notify import Command, Notices
from evolver.webhook import Webhook
from tests.evolver.support import make_settings

WRITES = "import json, os, sys; open(sys.argv[1], 'w').write(json.dumps([json.load(sys.stdin), sorted(os.environ)]))"


def command(*words: str, timeout_s: float = 10.0) -> Command:
    return Command(make_settings(notify_command=words, notify_timeout_s=timeout_s).evolver)


async def done(sender: Command) -> None:
    await asyncio.gather(*sender._tasks)


async def test_it_gets_the_news_on_its_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVIDER_KEY", "a secret")
    path = tmp_path / "$(touch boom)"  # a word like any other: there is no shell
    async with command(sys.executable, "-c", WRITES, str(path)) as sender:
        sender.send("promotion", "support", 12.5, {"version": "v1.1"})
        await done(sender)
        assert sender.failures == 0
    news, environment = json.loads(path.read_text())
    assert news == {"event": "promotion", "policy": "support", "at": 12.5, "version": "v1.1"}
    assert "PATH" in environment
    assert "PROVIDER_KEY" not in environment


@pytest.mark.parametrize(
    "words",
    [
        (sys.executable, "-c", "import sys; sys.exit(3)"),
        ("/no/such/program",),
        ("with\0zero",),
    ],
)
async def test_what_fails_is_counted(words: tuple[str, ...]) -> None:
    async with command(*words) as sender:
        sender.send("rollback", "support", 0.0, {})
        await done(sender)
        assert sender.failures == 1


async def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    async with command(sys.executable, "-c", "import time; time.sleep(600)", timeout_s=0.2) as sender:
        sender.send("incident", "support", 0.0, {})
        await asyncio.wait_for(done(sender), 10)
        assert sender.failures == 1


async def test_none_configured_none_started() -> None:
    async with command() as sender, Webhook(make_settings().evolver) as webhook:
        Notices(webhook, sender).send("incident", "support", 0.0, {})
        assert not sender._tasks
