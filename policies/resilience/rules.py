"""What an operator may set about failures, with bounds, defaults and their sources: a part of the configuration."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0.0)]
Share = Annotated[float, Field(gt=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]


class Rules(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HealthRules(Rules):
    """When an upstream is left alone, and for how long.

    Consecutive failures, back-off and its growth are linkerd's failure accrual. The rate is higher than the 0.5 that
    is common for one replica of many: most gateways have one provider, and an upstream that still answers every
    other request serves its clients better than none.
    """

    consecutive: Count = 7
    rate: Share = 0.8
    window_s: Seconds = 30.0
    min_requests: Count = 20  # in the window, before the rate means anything
    probes: Count = 1  # at a time, while it is tried again
    proofs: Count = 1  # good answers that close the circuit
    backoff_s: Seconds = 1.0
    max_backoff_s: Seconds = 60.0
    max_pause_s: float = Field(default=30.0, ge=0.0)  # of a 429's `retry-after`; 0: a 429 pauses nothing


class BudgetRules(Rules):
    """Retries allowed: `ratio` for each request, `per_s` each second, saved up to `burst` (defaults: finagle's).

    They are a policy's on the whole gateway: of several workers each has its part (and 1 of `burst` at least).
    """

    ratio: float = Field(default=0.2, ge=0.0, le=1.0)
    per_s: float = Field(default=10.0, ge=0.0)
    burst: float = Field(default=100.0, ge=1.0)


class TimeoutRules(Rules):
    """Limits of a policy's calls in seconds, none: the upstream's own. `total_s` bounds all attempts together."""

    connect_s: Seconds | None = None
    first_byte_s: Seconds | None = None
    idle_s: Seconds | None = None
    total_s: Seconds | None = None

    def within(self, left_s: float) -> Self:
        """The same for an attempt that has only `left_s` seconds left, above 0."""
        return self.model_copy(update={"total_s": left_s})


class ResilienceRules(Rules):
    """What is done for a request whose first attempt failed.

    Two retries are what the official clients make; theirs are called off where ours were made (`x-should-retry`).
    """

    retries: int = Field(default=2, ge=0, le=10)
    retry_budget: BudgetRules = BudgetRules()
    max_wait_s: float = Field(default=10.0, ge=0.0)  # a longer `retry-after` is the client's to wait for
    timeouts: TimeoutRules = TimeoutRules()
    fallbacks: tuple[str, ...] = ()  # model keys, in order
    rescue: bool = False  # of cut streams: costs a second answer, and helps where answers repeat (temperature 0)
