"""Settings of the evolver: what starts a cycle, what a cycle may spend, and who hears of it."""

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from config.section import Port, Positive, Seconds, Section, Share, guarded


class Triggers(Section):
    """What starts an improvement cycle."""

    learnings: int = Field(default=100, ge=1)
    days: Positive = 62.0
    performance: Share = 0.9
    check_every_s: Seconds = 3600.0


class Search(Section):
    """The genetic search. A budget of 0 calls or dollars leaves it out: proposals go on as they are."""

    num_generations: int = Field(default=10, ge=1)
    early_stop_threshold: Share = 0.95
    usd_per_cycle: float = Field(default=5.0, ge=0.0)
    calls_per_cycle: int = Field(default=600, ge=0)
    population: int = Field(default=16, ge=2)
    restarts: int = Field(default=1, ge=0, le=10)  # afresh from production where one genome has led for long


class Training(Section):
    """The policy-gradient trainer and its training-free variant; `in_cycle` lets one of them propose in each cycle."""

    in_cycle: Literal["grpo", "experience"] | None = None
    rounds: int = Field(default=20, ge=1, le=100)  # at most; the budget usually ends a run
    group_size: int = Field(default=6, ge=2, le=64)
    calls_per_run: int = Field(default=400, ge=0)
    usd_per_run: float = Field(default=2.0, ge=0.0)


class MemoryEvolution(Section):
    """How memories are learnt. What fewer than `min_units` conversations hold is nobody's but their own."""

    learn: bool = True
    shots: bool = False  # whole requests and answers of users as examples for others
    min_units: int = Field(default=5, ge=2)
    max_entries: int = Field(default=20_000, ge=1, le=200_000)  # beyond, the least useful are deprecated
    half_life_s: Seconds = 2_592_000.0  # of what counters have seen


class Judge(Section):
    """The pairwise judge. `required: false` is an operator's recorded decision to promote without one."""

    model_key: str | None = None
    threshold: Share = 0.6
    required: bool = True
    pairs: int = Field(default=24, ge=1)
    labels: str | None = None  # a file of labelled pairs to calibrate it on, see evolver/judge/labels.py


class Reflection(Section):
    """The model that proposes patches; none means templates."""

    model_key: str | None = None


class DayBudget(Section):
    """What the evolver's calls to models (replay, judge, reflection, training) may come to on one day (UTC), at most.

    A call is charged with the most it can cost before it is made. 0 calls or dollars: no call at all.
    """

    usd_per_day: float = Field(default=20.0, ge=0.0)
    calls_per_day: int = Field(default=20_000, ge=0)


class Evolver(Section):
    """The companion process. A listener other than loopback needs a token.

    News goes to `webhook` and to `notify_command`: a program and its arguments, run without a shell, that is given
    the news as JSON on its standard input and `notify_timeout_s` to be done. In the hours of `quiet` (UTC, such as
    `22:00-06:00`) no canary begins and nothing is promoted; rollbacks never wait. Of evolvers that share a registry
    one runs cycles, by a lease that it renews and that another may take `lease_s` after it has died.
    """

    host: str = "127.0.0.1"
    port: Port = 9127
    poll_s: Seconds = 1.0
    analyze_every_s: Seconds = 86_400.0
    evolve_every_s: Seconds = 259_200.0
    triggers: Triggers = Triggers()
    schedule: str | None = None
    search: Search = Search()
    training: Training = Training()
    memory: MemoryEvolution = MemoryEvolution()
    judge: Judge = Judge()
    reflection: Reflection = Reflection()
    regression_sample: int = Field(default=20, ge=1)
    retain_s: Seconds | None = 15_552_000.0  # rows of the analysis database; older ones are kept as totals only
    anchors: int = Field(default=20, ge=0)  # newest answers that users called right and that must stay right; 0: none
    budget: DayBudget = DayBudget()
    quiet: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")
    lease_s: Seconds = 15.0
    notify_command: tuple[str, ...] = ()
    notify_timeout_s: Seconds = 10.0
    webhook: str | None = Field(default=None, pattern=r"^https?://")
    webhook_secret: SecretStr | None = None
    token: SecretStr | None = None

    @model_validator(mode="after")
    def _open_listener_has_token(self) -> "Evolver":
        return guarded(self, self.host, self.token, "token")
