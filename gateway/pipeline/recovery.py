"""An exchange's second chance: what `Attempts` decides, carried out. Made at the first failure, never before.

1. Each failure is told once, and answered at once: True, another attempt is on its way and `resend` will be called on
   a later turn of the loop; or False, and the failure goes out to the client.
2. After `cancel` nothing is resent.
3. A second answer to a client that has a part of the first goes through the `Rescue` that `resend` was given.
"""

import asyncio
from collections.abc import Callable
from typing import Literal

from policies.resilience import Attempts, GiveUp, Rescue, Retry, Sent, Trouble
from policies.resilience.attempts import Reason

Step = Literal["retry", "fallback", "rescue", "beyond_rescue"] | Reason  # another attempt, or why there is none
Resend = Callable[[int, Rescue | None], None]


class Recovery:
    """One exchange's.

    Args:
        attempts: its decisions.
        resend: sends the request to that leg; what comes of it passes through the rescue, if there is one.
        rng: uniform on [0, 1).
        loop: where the waits run.
    """

    __slots__ = ("_loop", "_resend", "_rng", "_timer", "attempts", "step")

    def __init__(
        self, attempts: Attempts, resend: Resend, rng: Callable[[], float], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.attempts = attempts
        self.step: Step = "final"  # what came of the last failure
        self._resend = resend
        self._rng = rng
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def failed(self, trouble: Trouble, relayed: bytes | None, now: float) -> bool:
        """An attempt has failed; whether there will be another.

        Args:
            trouble: what went wrong.
            relayed: what the client has of the answer's body, None where not even its head.
            now: on the clock of the deadline, in seconds.
        """
        sent = Sent.NOTHING if relayed is None else Sent.BYTES if relayed else Sent.HEAD
        rescue = Rescue(relayed) if relayed is not None and self.attempts.may_rescue else None
        if rescue is not None and rescue.failure is not None:
            self.step = "beyond_rescue"
            return False
        told = self.attempts.decide(trouble, sent, now, self._rng)
        if isinstance(told, GiveUp):
            self.step = told.reason
            return False
        self.step = "rescue" if told.rescue else "retry" if isinstance(told, Retry) else "fallback"
        wait = told.after_s if isinstance(told, Retry) else 0.0
        self._timer = self._loop.call_later(wait, self._resend, told.leg, rescue)
        return True

    def cancel(self) -> None:
        """The client hung up."""
        if self._timer is not None:
            self._timer.cancel()
