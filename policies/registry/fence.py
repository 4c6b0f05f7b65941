"""A writer's name in the registry belongs to one process at a time, across all machines that share the registry.

A writer's rows are replaced by its own later ones: two processes of one name would take turns in destroying what the
other has told. On one machine the lock on the spool's folder forbids that; between machines, whose names may be alike
(a copied configuration, a cloned host name), a lease does.

1. At start the name is taken. Where somebody else holds it, the lease is given the time to run out: whoever lives on
   prolongs it meanwhile, and then the newcomer does not start.
2. What is written in the name is written under the lease, in the same transaction: a process that was paused for
   longer than it lasts, and whose name is another's by now, is refused.
3. A name that was lost is never taken back by the process that lost it: its sums are not what follows on the other's.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from policies.errors import ConflictError, OperatorError
from policies.registry.port import Leases
from policies.registry.values import Lease

log = logging.getLogger("evogate.registry")

LEASE_S = 15.0  # clocks of machines must differ by less
_RENEWALS = 3  # within that time
_LOOK_EVERY_S = 0.5
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def holder_in(home: Path, *, shared: bool) -> str:
    """Who works in that folder, for people to read; a restart there is the same, a copy on another machine is not.

    Names of machines and folders may be alike, so what tells running machines and their disks apart is digested in.
    Where the registry is not `shared` with others the machine goes unnamed: a container is called anew each time.
    """
    told = home.stat()
    apart = [str(told.st_dev), str(told.st_ino)]
    with suppress(OSError):  # not on Linux
        apart.append(_BOOT.read_text(encoding="ascii").strip())
    digest = blake2b(" ".join(apart).encode(), digest_size=4).hexdigest()
    machine = f"{socket.gethostname()}:" if shared else ""
    return f"{machine}{home.resolve()} ({digest})"


class Fence:
    """One writer's name.

    Args:
        registry: where it is held.
        writer: the name.
        holder: who wants it, for people to read: the machine and the folder. The same after a restart.
        clock: Unix seconds.
        pause: waits for so many seconds.
    """

    def __init__(
        self,
        registry: Leases,
        writer: str,
        holder: str,
        clock: Callable[[], float],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._registry = registry
        self._writer = writer
        self._holder = holder
        self._clock = clock
        self._pause = pause
        self._lease: Lease | None = None
        self._lost = ""

    async def take(self) -> None:
        """Before anything is written.

        Raises:
            OperatorError: another process lives under that name; who it is, and what to do.
        """
        first = await self._registry.lease(self._name)
        while (lease := await self._taken()) is None:
            now = await self._registry.lease(self._name)
            if first is not None and now is not None and now.until > first.until:
                raise OperatorError(
                    f"the registry has another gateway at work as '{self._writer}': {now.holder}. Two must not share "
                    f"a name: set `registry.node` of one of them to a name of its own, or end the other one; its name "
                    f"is free {LEASE_S:g} s after its last word"
                )
            if first is None or now != first:
                first = now
            log.warning("waits until '%s' is free: it was %s's", self._writer, now.holder if now else "nobody")
            await self._pause(_LOOK_EVERY_S)
        self._lease = lease

    @property
    def held(self) -> bool:
        """Whether the name was taken, and not lost."""
        return self._lease is not None and not self._lost

    async def keep(self) -> Lease:
        """What to write under; prolonged in time.

        Raises:
            ConflictError: the name is another's by now, or was meanwhile. This process has to be started again.
        """
        lease = self._lease
        if lease is None or self._lost:
            raise ConflictError(self._lost or f"'{self._writer}' was not taken")
        if lease.until - self._clock() > LEASE_S * (1.0 - 1.0 / _RENEWALS):
            return lease
        renewed = await self._taken()
        if renewed is None or renewed.fence != lease.fence:
            self._lost = (
                f"'{self._writer}' in the registry was taken over by another gateway while this one did not prolong "
                f"it for {LEASE_S:g} s: nothing more is told in its name; start this one again, under a "
                f"`registry.node` of its own if both are to stay"
            )
            log.error("%s", self._lost)
            if renewed is not None:
                await self._registry.release_lease(renewed)
            raise ConflictError(self._lost)
        self._lease = renewed
        return renewed

    async def release(self) -> None:
        """The next one may have it at once."""
        if self._lease is not None and self.held:
            await self._registry.release_lease(self._lease)

    async def _taken(self) -> Lease | None:
        now = self._clock()
        return await self._registry.take_lease(self._name, self._holder, now=now, until=now + LEASE_S)

    @property
    def _name(self) -> str:
        return f"writer:{self._writer}"
