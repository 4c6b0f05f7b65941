"""`evogate up`: gateway and evolver, the sandbox provider where no upstream is configured, and the demo."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from config import builtin
from gateway.cli.supervisor import Supervisor

REAL_DATA = frozenset({"EVOGATE_REGISTRY__URL"})  # what a demo keeps out of


@dataclass(frozen=True, slots=True)
class Setup:
    """What to start: the configuration, the data folder, and whether the sandbox plays the provider."""

    config: Path
    home: Path
    sandbox: bool
    demo: bool
    seed: int

    def log(self, *, as_json: bool) -> Path | None:
        """Where the children's logs go while the live screen has the terminal; None: to standard error."""
        if not self.demo or as_json:
            return None
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.home / "processes.log"

    @property
    def environ(self) -> dict[str, str]:
        """The children's environment."""
        beside = {name: value for name, value in os.environ.items() if not self.demo or name not in REAL_DATA}
        return {**beside, "EVOGATE_CONFIG": str(self.config), "EVOGATE_HOME": str(self.home)}


def plan(config: Path | None, home: Path, *, demo: bool, seed: int, upstream: str | None) -> Setup:
    """Which configuration is meant; a demo gets a data folder of its own, so that it never mixes with real data."""
    if config is not None:
        return Setup(config, home, sandbox=False, demo=demo, seed=seed)
    if upstream:
        return Setup(builtin.path("provider"), home, sandbox=False, demo=False, seed=seed)
    if demo:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        return Setup(builtin.path("demo"), home / "demo" / f"{stamp}-{os.getpid()}", sandbox=True, demo=True, seed=seed)
    return Setup(builtin.path("sandbox"), home, sandbox=True, demo=False, seed=seed)


def run(config: Path | None, home: Path, *, demo: bool, seconds: float | None, seed: int, as_json: bool) -> int:
    """Run until interrupted, or for `seconds` where it is a demo; the exit code."""
    setup = plan(config, home, demo=demo, seed=seed, upstream=os.environ.get("EVOGATE_UPSTREAM"))
    if demo and not setup.demo:
        click.echo("EVOGATE_UPSTREAM is set: your provider is used, and no traffic is sent to it", err=True)
    return asyncio.run(_run(setup, seconds, as_json))


async def _run(setup: Setup, seconds: float | None, as_json: bool) -> int:
    supervisor = Supervisor(_say, setup.log(as_json=as_json))
    stop = asyncio.Event()
    with _on_signals(stop.set):
        try:
            environ, gateway = await _start(supervisor, setup)
            if setup.demo:
                from gateway.demo import play

                return await play(
                    setup.home, gateway, environ, seed=setup.seed, seconds=seconds, as_json=as_json, stop=stop
                )
            click.echo(f"point your client at {gateway}/v1 (OPENAI_BASE_URL={gateway}/v1); Ctrl-C ends it")
            await stop.wait()
            return 0
        finally:
            await supervisor.stop()


async def _start(supervisor: Supervisor, setup: Setup) -> tuple[dict[str, str], str]:
    """Start everything in order; the children's environment and the gateway's address."""
    environ = setup.environ
    if setup.sandbox:
        click.echo("no upstream is configured: the sandbox provider answers (no model inside, no key needed)", err=True)
        arguments = ("gateway", "sandbox", "--port", "0", "--seed", str(setup.seed))
        environ["EVOGATE_SANDBOX"] = await supervisor.start("sandbox", arguments, environ)
    gateway = await supervisor.start("gateway", ("gateway", "gateway"), environ)
    await supervisor.start("evolver", ("evolver",), environ)
    return environ, gateway


def _say(line: str) -> None:
    click.echo(line, err=True)


@contextlib.contextmanager
def _on_signals(stop: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM) if sys.platform != "win32" else ()
    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
