"""How many retries a policy may make, so that retries can't turn an upstream's trouble into its end.

1. Each request deposits `ratio`, each second `per_s`; a retry costs 1.
2. Never more than `burst` is saved up. So among n requests in t seconds there are at most burst + ratio n + per_s t
   retries, whatever happens.

Source: finagle's RetryBudget and linkerd's; the cap takes the place of their expiring deposits.
"""

from policies.resilience.rules import BudgetRules


class RetryBudget:
    """One policy's budget. It begins full."""

    __slots__ = ("_at", "_balance", "_burst", "_per_s", "_ratio")

    def __init__(self, rules: BudgetRules, now: float) -> None:
        self._ratio = rules.ratio
        self._per_s = rules.per_s
        self._burst = self._balance = rules.burst
        self._at = now

    def deposit(self) -> None:
        """A request has come."""
        if self._balance < self._burst:
            self._balance = min(self._burst, self._balance + self._ratio)

    def withdraw(self, now: float) -> bool:
        """Pay for a retry, if there is enough."""
        self._balance = self.balance(now)
        self._at = max(now, self._at)
        if self._balance < 1.0:
            return False
        self._balance -= 1.0
        return True

    def balance(self, now: float) -> float:
        """Retries left, the reserve of the time that has passed included."""
        return min(self._burst, self._balance + self._per_s * max(0.0, now - self._at))
