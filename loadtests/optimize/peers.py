"""Other optimizers, each a process of its own Python, on the same worlds: our side of the protocol in `far.line`.

A process serves any number of runs. The world counts every evaluation, whatever an optimizer says that it spent.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Self

import numpy as np

from loadtests.bench.peers import folder
from loadtests.optimize.candidates import Translator
from loadtests.optimize.settings import SETTINGS, Setting
from loadtests.optimize.world import Found, Optimize, World
from policies.errors import EvoGateError

FAR = Path(__file__).parent / "far"
SAID = 2_000  # characters of what a process said before it ended
MOST = 5  # times the calls allowed, from which on a run is broken off


class PeerError(EvoGateError):
    """Another optimizer failed, spent far too much, or its process ended."""


@dataclass
class Peer:
    """A process that optimizes. Not shared between threads."""

    python: str
    script: Path
    _process: "subprocess.Popen[str] | None" = field(default=None, init=False)
    _errors: "IO[str] | None" = field(default=None, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    async def optimize(
        self, world: World, calls: int, rng: np.random.Generator, options: Mapping[str, Any] | None = None
    ) -> Found:
        """One run.

        Raises:
            PeerError: see there; the next run starts a fresh process.
        """
        translator = Translator(world, rng)
        task = {
            "seed": int(rng.integers(2**31)),
            "calls": calls,
            "start": translator.told(world.base),
            "examples": [example.id for example in world.examples],
            "slots": [len(slot.options) for slot in translator.space],
            "options": options or {},
        }
        try:
            return await self._run(world, calls, translator, task)
        except PeerError:
            self.__exit__()
            raise

    async def _run(self, world: World, calls: int, translator: Translator, task: Mapping[str, Any]) -> Found:
        message = self._exchange(task)
        while "found" not in message:
            if "error" in message or world.calls > MOST * calls:
                raise PeerError(f"{self.script.name}: {message.get('error', f'spent {world.calls} of {calls} calls')}")
            message = self._exchange(await _answer(message, world, translator))
        return Found(translator.meant(message["found"]), float(message["reported"]))

    def _exchange(self, message: Mapping[str, Any]) -> dict[str, Any]:
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
            return dict(json.loads(process.stdout.readline()))
        except (OSError, ValueError) as error:
            raise PeerError(f"{self.script.name}: its process ended\n{self._said()}") from error

    def _said(self) -> str:
        assert self._errors is not None
        self._errors.seek(0)
        return self._errors.read()[-SAID:]

    def _started(self) -> "subprocess.Popen[str]":
        if self._process is None:
            self._errors = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed with the process
            self._process = subprocess.Popen(
                [self.python, str(self.script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                encoding="utf-8",
            )
        return self._process


async def _answer(message: Mapping[str, Any], world: World, translator: Translator) -> dict[str, Any]:
    """To one question of an optimizer."""
    if "evaluate" in message:
        by_id = {example.id: example for example in world.examples}
        scores = await world.evaluate(
            translator.meant(message["evaluate"]), [by_id[name] for name in message["examples"]]
        )
        return {"scores": [{"quality": s.quality, "latency_ms": s.latency_ms, "cost_usd": s.cost_usd} for s in scores]}
    if "vary" in message:
        return {"candidate": translator.told(translator.vary(translator.meant(message["vary"]), message["part"]))}
    other = translator.meant(message["other"])
    return {"candidate": translator.told(translator.cross(translator.meant(message["cross"]), other))}


@contextmanager
def installed(settings: Mapping[str, Setting] = SETTINGS) -> Iterator[dict[str, Optimize]]:
    """Optimizers by name, of those whose environment `loadtests.peers.optimizers` has made; others are said to miss."""
    started: dict[str, Peer] = {}
    found: dict[str, Optimize] = {}
    try:
        for name, setting in settings.items():
            python = folder() / setting.peer / "bin" / "python"
            if not python.exists():
                print(f"{name}: left out, {setting.peer} is not in {folder()}", file=sys.stderr)
                continue
            peer = started.setdefault(setting.script, Peer(str(python), FAR / setting.script))
            found[name] = _bound(peer, setting)
        yield found
    finally:
        for peer in started.values():
            peer.__exit__()


def _bound(peer: Peer, setting: Setting) -> Optimize:
    async def optimize(world: World, calls: int, rng: np.random.Generator) -> Found:
        return await peer.optimize(world, calls, rng, setting.of(world.name))

    return optimize
