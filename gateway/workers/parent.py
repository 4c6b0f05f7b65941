"""The parent of several workers: it holds their address and their pins, starts them, and speaks for them.

A change of the configuration comes into force in all workers or in none: each checks it, the registry hears of it,
then all take it over. Whoever can't do what it has promised is ended; its successor begins with the new one.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from config.loader import loads
from config.settings import Settings
from config.source import read_text
from config.watcher import Watcher
from gateway.admin.families import Family
from gateway.admin.listener import address, announce, open_admin
from gateway.admin.together import Facts
from gateway.pipeline.routes import refuse_self
from gateway.workers.address import reserve
from gateway.workers.channel import ChannelError
from gateway.workers.facts import families_of, status_of
from gateway.workers.member import Member
from gateway.workers.names import writer_names
from gateway.workers.pins import Table
from gateway.workers.publishing import Publisher
from gateway.workers.secret import secret
from policies.errors import OperatorError

log = logging.getLogger("evogate.workers")

CHECK_TIMEOUT_S = 15.0


class Parent:
    """A gateway of `count` workers. `text` is the configuration that `settings` were read from."""

    def __init__(
        self,
        config_path: Path | None,
        text: str,
        settings: Settings,
        home: Path,
        *,
        host: str | None = None,
        port: int | None = None,
        count: int,
    ) -> None:
        self.settings = settings
        self.over = asyncio.Event()
        self.failure: OperatorError | None = None
        self.members: list[Member] = []
        self.admin_url = ""
        self.check_timeout_s = CHECK_TIMEOUT_S
        self._config_path = config_path
        self._text = text
        self._home = home
        self._host = host or settings.gateway.host
        self._port = settings.gateway.port if port is None else port
        self._count = count
        self._configuration: dict[str, Any] = {"reloads": 0, "failures": 0, "last_error": ""}
        self._changing = asyncio.Lock()  # nobody starts on a text that is being replaced
        self._publisher = Publisher(home, lambda: self.settings, self._changing)
        self._table: Table

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve while the context lasts; yields the data plane's address. The end drains every worker.

        Raises:
            OperatorError: a port, the data folder or the settings can't be used, or a worker can't be started.
        """
        async with contextlib.AsyncExitStack() as stack:
            held = stack.enter_context(contextlib.ExitStack())
            self._port = reserve(self._host, self._port, held)
            refuse_self(self.settings.upstreams, self._host, self._port)
            secret(self._home)
            self._table = Table.create()
            stack.callback(os.close, self._table.descriptor)
            await self._publisher.first(stack)
            stack.push_async_callback(self._stop)
            await self._start()
            self.admin_url = await open_admin(self, self.settings.gateway, stack)
            self._watch(stack)
            url = address(self._host, self._port)
            announce(self._home, url, self.admin_url, self._config_path)
            yield url

    # -- workers -----------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        self.members = [
            Member(
                name, self._begin, self._asked, self._failed, hang_s=self._hang_s, descriptors=(self._table.descriptor,)
            )
            for name in writer_names(self.settings.registry, self._count)
        ]
        try:
            async with asyncio.TaskGroup() as group:
                for member in self.members:
                    group.create_task(member.start())
        except* OperatorError as errors:
            raise errors.exceptions[0] from None

    async def _stop(self) -> None:
        grace_s = self.settings.gateway.limits.drain_s
        await asyncio.gather(*(member.stop(grace_s) for member in self.members))

    async def _begin(self, member: Member) -> None:
        member.text = self._text
        await member.told_to_start(
            writers=[each.name for each in self.members],
            index=self.members.index(member),
            host=self._host,
            port=self._port,
            home=str(self._home),
            text=member.text,
            name=str(self._config_path or "settings"),
            table=self._table.descriptor,
            buckets=self._table.buckets,
        )

    async def _asked(self, member: Member, verb: str, arguments: dict[str, Any]) -> Any:
        answers: dict[str, Callable[..., Awaitable[Any]]] = {"ready": self._ready, "feedback": self._feedback}
        return await answers[verb](member, **arguments)

    async def _ready(self, member: Member) -> None:
        """It has replayed its spool and will listen next; what has changed meanwhile it takes over before."""
        async with self._changing:
            member.up = True
            if member.text != self._text:
                await member.ask("prepare", text=self._text, timeout_s=self.check_timeout_s)
                await self._commit(member)

    async def _feedback(self, _: Member, *, raw: str) -> dict[str, Any] | None:
        """A word about an answer: to the worker that gave it last; None where none of them remembers."""
        known = {name: at for name, at in (await self._of_each("remembers", raw=raw)).items() if at is not None}
        if not known:
            return None
        latest = max(known, key=lambda name: known[name])
        member = next(member for member in self.members if member.name == latest)
        try:
            heard: dict[str, Any] = await member.ask("feedback", raw=raw)
        except ChannelError:
            return None  # it has ended meanwhile; its recordings know
        return heard

    def _hang_s(self) -> float:
        return self.settings.gateway.hang_s

    def _failed(self, error: OperatorError) -> None:
        self.failure = error
        self.over.set()

    # -- the configuration -------------------------------------------------------------------------------------

    async def reload(self) -> dict[str, Any]:
        """See `Source`."""
        async with self._changing:
            try:
                text = read_text(self._config_path) if self._config_path is not None else ""
                await self._change(text)
            except OperatorError as error:
                self._refused(str(error))
                raise
        return {"configuration": self._configuration, "workers": [member.name for member in self._up]}

    async def _change(self, text: str) -> None:
        settings = loads(text, os.environ, str(self._config_path or "settings"))
        members = self._up
        checks = (member.ask("prepare", text=text, timeout_s=self.check_timeout_s) for member in members)
        for member, found in zip(members, await asyncio.gather(*checks, return_exceptions=True), strict=True):
            if isinstance(found, Exception) and member.up:  # one that has ended meanwhile has no say
                raise OperatorError(f"the new settings were not taken over: {member.name}: {found}")
        await self._publisher.publish(settings)
        if settings.gateway.workers != self.settings.gateway.workers:
            log.warning("gateway.workers will count from the next start on")
        self._text, self.settings = text, settings
        await asyncio.gather(*map(self._commit, self._up))
        self._configuration["reloads"] += 1
        self._configuration["last_error"] = ""

    async def _commit(self, member: Member) -> None:
        try:
            await member.ask("commit", text=self._text, timeout_s=self.check_timeout_s)
            member.text = self._text
        except (OperatorError, ChannelError) as error:
            log.warning(
                "%s did not take over the configuration that it had checked (%s) and is ended", member.name, error
            )
            member.kill()

    def _refused(self, message: str) -> None:
        self._configuration["failures"] += 1
        self._configuration["last_error"] = message
        log.error("the changed configuration is not in force: %s", message)

    def _watch(self, stack: contextlib.AsyncExitStack) -> None:
        if self._config_path is None:
            return
        loop = asyncio.get_running_loop()
        reloads: set[asyncio.Task[None]] = set()

        def changed(_: Settings) -> None:
            task = loop.create_task(self._reload_quietly())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        watcher = Watcher(self._config_path, os.environ, changed, self._refused)
        stack.callback(loop.create_task(watcher.run()).cancel)

    async def _reload_quietly(self) -> None:
        with contextlib.suppress(OperatorError):  # noted
            await self.reload()

    # -- what the admin listener asks --------------------------------------------------------------------------

    @property
    def _up(self) -> list[Member]:
        return [member for member in self.members if member.up]

    async def families(self) -> list[Family]:
        """See `Source`."""
        return families_of(self.members, await self._of_each("numbers"), self._configuration)

    async def status(self) -> Facts:
        """See `Source`."""
        return status_of(self.members, await self._of_each("status"), self._configuration)

    async def arms(self) -> list[Facts]:
        """See `Source`."""
        found: list[Facts] = (await self.status())["arms"]
        return found

    async def _of_each(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """What the workers answer, by name; those that don't are left out."""
        members = self._up
        asked = (member.ask(verb, timeout_s=2.0, **arguments) for member in members)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return {m.name: a for m, a in zip(members, answers, strict=True) if not isinstance(a, BaseException)}
