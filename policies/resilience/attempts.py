"""The life of one covered request over several attempts: after each that failed, what to do next.

1. Nothing is sent again once bytes have gone out to the client: a second answer is never glued to a first. The one
   exception is a rescue, which the operator must have allowed and which `rescue` watches over.
2. What may be repeated at all, and where, is the table of `troubles`.
3. An upstream's `retry-after` is waited for up to `max_wait_s`; with a fallback left, nobody waits for it. Nor is the
   upstream of a cut stream asked again while there is another to rescue it.
4. Retries are counted over all legs and paid for from the policy's budget. Each fallback is tried in order, once and
   without a payment: their number is bounded by the configuration.
5. Nothing begins after `total_s`, nor waits beyond it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal

from policies.resilience.retry_budget import RetryBudget
from policies.resilience.rules import ResilienceRules
from policies.resilience.troubles import Row, Trouble, row_of

_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 8.0
_JITTER: Final = 0.5

Reason = Literal["final", "sent", "exhausted", "wait", "time", "budget"]


class Sent(IntEnum):
    """How much the client has of the present answer."""

    NOTHING = 0
    HEAD = 1
    BYTES = 2


@dataclass(frozen=True, slots=True)
class Retry:
    """Ask the same leg again after that many seconds; `rescue`: what comes must pass through a `Rescue`."""

    leg: int
    after_s: float
    rescue: bool = False


@dataclass(frozen=True, slots=True)
class Fallback:
    """Ask that leg now; `rescue` as above."""

    leg: int
    rescue: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Pass the failure on.

    `final` can't be helped; `sent`: the client has a part; `exhausted`, `budget`: no retries left; `wait`: the upstream
    wants to be left alone for longer than we wait; `time`: the total has passed.
    """

    reason: Reason


Next = Retry | Fallback | GiveUp


class Attempts:
    """One request's, begun with its first failure: a request that goes well needs none of it.

    Args:
        rules: the policy's.
        budget: the policy's.
        legs: how many eligible places there are, its own (0) included; fallbacks follow in order.
        deadline: when the total timeout passes, on the clock that `now` is read from.
    """

    __slots__ = ("_budget", "_deadline", "_legs", "_rules", "leg", "retries", "tried_again")

    def __init__(self, rules: ResilienceRules, budget: RetryBudget, *, legs: int, deadline: float) -> None:
        self._rules = rules
        self._budget = budget
        self._legs = legs
        self._deadline = deadline
        self.leg = 0
        self.retries = 0
        self.tried_again = False  # in the client's place: an error that goes out says `x-should-retry: false`

    @property
    def may_rescue(self) -> bool:
        """Whether the operator has allowed rescues."""
        return self._rules.rescue

    def left_s(self, now: float) -> float:
        """Time that the next attempt has, in seconds."""
        return max(0.0, self._deadline - now)

    def decide(self, trouble: Trouble, sent: Sent, now: float, rng: Callable[[], float]) -> Next:
        """What to do about the failure of the present attempt; `rng` is uniform on [0, 1)."""
        rescue = sent is not Sent.NOTHING
        if rescue and not self._rules.rescue:
            return GiveUp("sent")
        row = row_of(trouble)
        elsewhere = row.elsewhere and self.leg + 1 < self._legs and now < self._deadline
        waits = elsewhere and (rescue or row.again == "last" or trouble.retry_after_s is not None)
        after = "wait" if waits else self._again(row, trouble, now, rng)
        if isinstance(after, float):
            self.retries += 1
            self.tried_again = True
            return Retry(self.leg, after, rescue)
        if not elsewhere:
            return GiveUp(after)
        self.leg += 1
        self.tried_again = True
        return Fallback(self.leg, rescue)

    def _again(self, row: Row, trouble: Trouble, now: float, rng: Callable[[], float]) -> float | Reason:
        """The wait before the same leg is asked again, or why it is not. The payment comes last."""
        if row.again == "never":
            return "final"
        if self.retries >= self._rules.retries:
            return "exhausted"
        if trouble.retry_after_s is not None and trouble.retry_after_s > self._rules.max_wait_s:
            return "wait"
        wait = self._wait(trouble.retry_after_s, rng)
        if now + wait >= self._deadline:
            return "time"
        return wait if self._budget.withdraw(now) else "budget"

    def _wait(self, retry_after_s: float | None, rng: Callable[[], float]) -> float:
        """Exponential back-off with jitter; never less than the upstream asked for."""
        backoff = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0**self.retries) * (1.0 - _JITTER * rng())
        return max(backoff, retry_after_s or 0.0)
