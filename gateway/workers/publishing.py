"""The configuration in the registry, from one place: several workers would each make a version of the same genome."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

from config.settings import Settings
from gateway.pipeline.snapshot import publish_configured
from policies.errors import AwayError, OperatorError
from policies.registry import open_registry

log = logging.getLogger("evogate.workers")


class Publisher:
    """Lets the registry know of settings. `settings` gives those in force, `changing` is held while they change."""

    def __init__(self, home: Path, settings: Callable[[], Settings], changing: asyncio.Lock) -> None:
        self._home = home
        self._settings = settings
        self._changing = changing

    async def first(self, stack: contextlib.AsyncExitStack) -> None:
        """At start; a fleet's registry that is away hears of it when it is back, if the workers can start without.

        Raises:
            OperatorError: it is there, and did not take them.
        """
        try:
            await self.publish(self._settings())
        except AwayError as error:
            log.warning("%s; the configuration is published once it is there", error)
            stack.callback(asyncio.get_running_loop().create_task(self._later()).cancel)

    async def publish(self, settings: Settings) -> None:
        """Once.

        Raises:
            OperatorError: the registry did not take them; an `AwayError` where it can't be reached.
        """
        try:
            async with open_registry(self._home, self._settings().registry.database) as registry:
                await publish_configured(registry, settings, time.time())
        except OperatorError:
            raise
        except Exception as error:
            raise OperatorError(f"the registry in {self._home} did not take the configuration: {error}") from error

    async def _later(self) -> None:
        while True:
            await asyncio.sleep(self._settings().gateway.poll_s)
            try:
                async with self._changing:
                    await self.publish(self._settings())
            except AwayError:
                continue
            except OperatorError as error:
                log.error("%s", error)  # noqa: TRY400  (an operator's line, not a fault of ours)
                continue
            return
