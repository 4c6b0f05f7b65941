"""Settings of a policy: what it covers, what counts as better, and what a change must show."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from config.section import Positive, Seconds, Section, Share
from policies.genome import Genome
from policies.resilience.rules import ResilienceRules

Mode = Literal["observe", "approve", "auto"]
Auto = Literal["auto"]


class Match(Section):
    """Which requests a policy covers. `model` holds shell patterns; the policy's own name always matches."""

    path: str = "/v1/chat/completions"
    model: tuple[str, ...] = ("*",)

    @field_validator("model", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class Regex(Section):
    """A validator: the answer's text must match the pattern (searched)."""

    regex: str


Validator = Literal["json_schema", "tool_args", "safety"] | Regex


class RewardWeights(Section):
    """Costs of fitness. `auto` takes 0.1 / the policy's own budget: an answer at the budget loses 0.1."""

    latency: float | Auto = "auto"  # per millisecond
    tokens: float | Auto = 0.0  # per output token
    repairs: float = Field(default=0.2, ge=0.0)
    cost: float | Auto = "auto"  # per US dollar


class RewardGates(Section):
    """An answer below a gate whose validator ran has reward 0."""

    validator_score: Share = 0.9
    accuracy: Share = 0.85


class RewardSettings(Section):
    """Fitness: gates, then 1 minus the weighted costs."""

    weights: RewardWeights = RewardWeights()
    gates: RewardGates = RewardGates()


class BanditSettings(Section):
    """Production keeps at least `production_share`; every challenger at least `floor`.

    A new challenger's ceiling rises from the floor to the whole budget over its first `ramp` rewards (0: at once).
    """

    production_share: Annotated[float, Field(ge=0.5, le=1.0)] = 0.8
    floor: Annotated[float, Field(gt=0.0, le=0.2)] = 0.02
    ramp: int = Field(default=50, ge=0)


class BreakerSettings(Section):
    """Rollback of a harmful candidate: see policies/evidence."""

    ratio: Annotated[float, Field(gt=1.0)] = 2.0
    window_s: Seconds = 3600.0
    alpha: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.01
    deadline_s: Seconds = 120.0


class ShadowSettings(Section):
    """Mirroring to candidates before users see them."""

    sample: Share = 0.1
    horizon_s: Seconds = 86_400.0
    usd_per_day: float = Field(default=5.0, ge=0.0)
    concurrency: int = Field(default=16, ge=1)
    min_pairs: int = Field(default=50, ge=2)
    min_hours: int = Field(default=0, ge=0, le=24)  # hours of the day (UTC) that its pairs must cover before it passes


class Budgets(Section):
    """Fixed budgets: what "too slow" and "too dear" mean, and the scale of fitness."""

    p95_ms: Positive = 4000.0
    usd_per_request: Positive = 0.02


class NonInferiority(Section):
    """Margins of the non-inferiority tests, as shares of the unit interval; 1.0 switches one off."""

    quality: Share = 0.05  # of validators and feedback, without what an answer cost: savings may not be paid with it
    failure: Share = 0.05
    latency: Share = 0.05
    cost: Share = 0.05


class PromotionSettings(Section):
    """When a canary is promoted: superiority by `min_gain` with `fdr` over the stream of candidates."""

    min_gain: Share = 0.01
    fdr: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.10
    non_inferiority: NonInferiority = NonInferiority()
    horizon_s: Seconds = 7 * 86_400.0
    holdback: Annotated[float, Field(ge=0.0, le=0.5)] = 0.02
    factorial: bool = False  # candidates of different layers may be in canary at the same time


class Policy(Section):
    """One feature of the application: what it matches, version 1.0 of its genome, and how it may change."""

    mode: Mode = "approve"
    match: Match = Match()
    unit: str = Field(default="conversation", pattern=r"^(conversation|request|header:[A-Za-z0-9-]+)$")
    client_wins: tuple[str, ...] = ()
    validators: tuple[Validator, ...] = ("json_schema", "tool_args")
    genome: Genome = Genome()
    memory_file: str | None = None  # JSON lines; what genomes without a snapshot of their own retrieve from
    tenant: str | None = Field(default=None, pattern=r"^header:[A-Za-z0-9-]+$")  # whose entries beside everybody's
    memory_tokens: int = Field(default=1_024, ge=16)  # of everything that is retrieved for one request
    memory_holdout: Share = 0.05  # of what is retrieved, left out at random to learn what it is worth; 0: nothing
    golden_file: str | None = None  # a hand-written golden set (JSON lines); its anchors must not regress
    reward: RewardSettings = RewardSettings()
    bandit: BanditSettings = BanditSettings()
    breaker: BreakerSettings = BreakerSettings()
    shadow: ShadowSettings = ShadowSettings()
    budgets: Budgets = Budgets()
    promotion: PromotionSettings = PromotionSettings()
    resilience: ResilienceRules = ResilienceRules()
