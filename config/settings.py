"""Every setting, typed and bounded, with its default and its unit. The names are users' contract."""

import re
from collections.abc import Collection, Iterator
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from config.proxies import is_http_proxy
from policies.genome import Genome
from policies.kinds import Kind
from policies.resilience.places import MOST
from policies.resilience.rules import HealthRules, ResilienceRules
from policies.strategy.choice import RESERVED, answering, compares_meanings, verifying
from policies.strategy.router import AUTO, Choice

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Seconds = Positive
Port = Annotated[int, Field(ge=0, le=65_535)]
Mode = Literal["observe", "approve", "auto"]
Auto = Literal["auto"]


class Section(BaseModel):
    """What all sections share: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
S = TypeVar("S", bound=Section)


def _guarded(section: S, host: str, token: SecretStr | None, name: str) -> S:
    if host not in LOOPBACK and token is None:
        raise ValueError(f"a listener on {host} can be reached from elsewhere: set `{name}: ${{SOME_VARIABLE}}`")
    return section


class Upstream(Section):
    """A provider. Without `api_key` the client's own credential goes through.

    `kind` says how it wants its key and what its paths look like (policies/kinds.py); `api_version` is Azure's, or the
    `anthropic-version` of requests that bring none. Beyond `max_concurrency` (none: no limit) `queue` requests wait
    for at most `queue_timeout_s`.
    """

    base_url: str
    kind: Kind = "openai"
    api_version: str | None = Field(default=None, pattern=r"^[0-9A-Za-z.-]+$")
    api_key: SecretStr | None = None
    max_concurrency: int | None = Field(default=None, ge=1)
    queue: int = Field(default=64, ge=0)
    queue_timeout_s: Seconds = 5.0
    health: HealthRules = HealthRules()
    connect_timeout_s: Seconds = 10.0
    first_byte_timeout_s: Seconds = 60.0
    idle_timeout_s: Seconds = 60.0
    total_timeout_s: Seconds = 600.0
    max_connections: int = Field(default=10_000, ge=1)  # a stream holds one: as many as clients, `limits.connections`
    max_connection_age_s: Seconds = 300.0  # then the name is resolved anew
    proxy: SecretStr | None = None  # where it is not mentioned: what HTTPS_PROXY and its kin say
    verify_tls: bool = True
    ca_file: str | None = None

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not re.match(r"https?://[^/\s]+", value):
            raise ValueError(f"'{value}' is no base URL; write one such as https://api.openai.com/v1")
        return value.rstrip("/")

    @field_validator("proxy")
    @classmethod
    def _is_http_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not is_http_proxy(value.get_secret_value()):
            raise ValueError("write an HTTP proxy such as http://proxy.example:3128; others are not supported")
        return value

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Upstream":
        if self.kind == "openai" and self.api_version is not None:
            raise ValueError("api_version belongs to `kind: azure` or `kind: anthropic`; name the kind or leave it out")
        if self.kind != "azure" and "{model}" in self.base_url:
            raise ValueError("{model} in base_url is a deployment of `kind: azure`; name the kind or leave it out")
        return self


class Price(Section):
    """US dollars per million tokens; `cached_input` defaults to `input`."""

    input: float = Field(default=0.0, ge=0.0)
    cached_input: float | None = Field(default=None, ge=0.0)
    output: float = Field(default=0.0, ge=0.0)


class Model(Section):
    """A model key: what the provider calls it, what it costs, which parameters it takes under which name.

    `params` maps an OpenAI parameter to this model's name for it, or to null where it is not accepted. Upstreams that
    all know the model by this name can share it by weight: `upstreams: {openai: 3, azure: 1}` instead of `upstream`.
    """

    upstream: str = ""  # the first of `upstreams` where those are given
    upstreams: dict[str, Positive] = Field(default_factory=dict, max_length=MOST)
    model: str
    usd_per_mtok: Price = Price()
    params: dict[str, str | None] = Field(default_factory=dict)
    capability: Share | None = None  # how able it is; a model that has one may be chosen by `model_key: auto`
    context_tokens: int | None = Field(default=None, ge=1)  # the router sends no request that is longer
    tools: bool = True  # nor one with tools where it takes none

    @model_validator(mode="before")
    @classmethod
    def _one_or_several(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        one, several = values.get("upstream"), values.get("upstreams")
        first = next(iter(several)) if isinstance(several, dict) and several else None
        if not (one or several) or (one and several and one != first):
            raise ValueError("needs either `upstream: NAME` or `upstreams: {NAME: weight, ...}`")
        return {**values, "upstream": first} if first else values

    @property
    def places(self) -> dict[str, float]:
        """Weight by upstream."""
        return self.upstreams or {self.upstream: 1.0}


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


class Embeddings(Section):
    """The model that genes ask for embeddings: `embedding_weight` of memories, `agreement: embedding` of strategies.

    What no gene asks for is never sent there. An embedding that does not come within `timeout_s` is done without: words
    alone decide, and it is counted.
    """

    model_key: str | None = None
    dimensions: int | None = Field(default=None, ge=8, le=4_096)  # asked of the model; none: as many as it gives
    timeout_s: Seconds = 1.0
    concurrency: int = Field(default=32, ge=1, le=1_024)  # calls of a worker at a time
    remembered: int = Field(default=4_096, ge=1)  # texts whose embedding a worker need not ask for again
    most_entries: int = Field(default=20_000, ge=1, le=200_000)  # larger memories are searched by words alone


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
        return _guarded(self, self.host, self.token, "token")


class Limits(Section):
    """What the data plane accepts."""

    header_bytes: int = Field(default=32_768, ge=1024)
    body_bytes: int = Field(default=33_554_432, ge=1024)  # of what is read before it is sent on
    upload_bytes: int = Field(default=1_073_741_824, ge=1024)  # of what no policy covers, sent on as it arrives
    connections: int = Field(default=10_000, ge=1)
    feedback_per_minute: int = Field(default=60_000, ge=1)  # of one credential, to a worker
    feedback_share: float = Field(default=1.0, gt=0.0, le=1.0)  # of a policy's answers that one credential may judge
    header_timeout_s: Seconds = 30.0
    keepalive_s: Seconds = 75.0
    tunnel_idle_s: Seconds = 300.0  # of WebSockets and their like
    drain_s: Seconds = 30.0


class Gateway(Section):
    """The data plane and its admin listener. An admin listener other than loopback needs a token."""

    host: str = "127.0.0.1"
    port: Port = 8800
    workers: int = Field(default=1, ge=1, le=64)  # processes on that port; counts from the next start on
    admin_host: str = "127.0.0.1"
    admin_port: Port = 8801
    hang_s: Seconds = 30.0  # one of several workers whose loop answers nothing for so long is killed and started again
    poll_s: Seconds = 1.0
    idle_unit_s: Seconds = 1800.0
    comment_every_s: Seconds = 5.0  # to a client that streams, while a strategy holds its answer back
    mirror_concurrency: int = Field(default=64, ge=0)
    limits: Limits = Limits()
    admin_token: SecretStr | None = None

    @model_validator(mode="after")
    def _open_listener_has_token(self) -> "Gateway":
        return _guarded(self, self.admin_host, self.admin_token, "admin_token")


class Recording(Section):
    """The spool. `kill_safe` survives the death of the process, `power_safe` that of the machine, too.

    A worker's recordings take at most `retain_bytes`; the oldest go first. Those older than `retain_s` go once the
    evolver has read them.
    """

    level: Literal["kill_safe", "power_safe"] = "kill_safe"
    segment_bytes: int = Field(default=67_108_864, ge=4096)
    compress: bool = True
    retain_bytes: int | None = Field(default=10_737_418_240, ge=4096)
    retain_s: Seconds | None = 2_592_000.0
    bodies: bool = True
    body_sample: Share = 1.0  # of conversations; outcomes are always recorded
    redact: tuple[str, ...] = ()


class Telemetry(Section):
    """Traces and metrics by OpenTelemetry's GenAI conventions, as protobuf over HTTP. Counts from the next start on.

    `endpoint` is the collector's address, such as http://localhost:4318; none: off. `sample` is the share of traces
    that begin here to be sent; a client's own `traceparent` decides for itself, and metrics count every request.
    """

    endpoint: str | None = Field(default=None, pattern=r"^https?://[^/\s]+")
    headers: dict[str, SecretStr] = Field(default_factory=dict)  # sent with each export, such as a key
    sample: Share = 1.0


class Registry(Section):
    """Where versions, candidates and evidence are kept. Counts from the next start on.

    Without `url` in `registry.db` of the data folder. A fleet's machines share a PostgreSQL database, such as
    postgresql://evogate:${PGPASSWORD}@db.example/evogate; `node` is this one's name among them, by default its host's.
    A gateway that starts while it is away serves what it last saw of it, and joins when it is back.
    """

    url: SecretStr | None = None
    node: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]{1,63}$")

    @field_validator("url")
    @classmethod
    def _is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("write a URL such as postgresql://user@host/database, or leave it out for a local file")
        return value

    @property
    def database(self) -> str | None:
        """The URL with its password, for `open_registry`; None: the file in the data folder."""
        return self.url.get_secret_value() if self.url is not None else None


class Settings(Section):
    """The whole configuration. `logging`: lines for people, or one JSON object each; counts from the next start on."""

    upstreams: dict[str, Upstream] = Field(default_factory=dict)
    models: dict[str, Model] = Field(default_factory=dict)
    policies: dict[str, Policy] = Field(default_factory=dict)
    gateway: Gateway = Gateway()
    recording: Recording = Recording()
    registry: Registry = Registry()
    embeddings: Embeddings = Embeddings()
    evolver: Evolver = Evolver()
    telemetry: Telemetry = Telemetry()
    logging: Literal["text", "json"] = "text"

    @model_validator(mode="after")
    def _names_refer(self) -> "Settings":
        wrong = [
            f"{where}: '{name}' is not defined; known: {', '.join(sorted(known)) or 'none'}"
            for where, name, known in self._references()
            if name is not None and name not in known
        ]
        wrong += self._unembedded()
        wrong += [f"models.{name}: '{name}' has a meaning of its own" for name in self.models if name in RESERVED]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What a router may choose from: the models that have a `capability`."""
        return tuple(
            Choice(
                key,
                model.capability,
                model.usd_per_mtok.input,
                model.usd_per_mtok.output,
                model.context_tokens,
                model.tools,
            )
            for key, model in self.models.items()
            if model.capability is not None
        )

    def _unembedded(self) -> Iterator[str]:
        """Genes of the configuration that need the embedding model, where there is none."""
        for name, policy in self.policies.items() if self.embeddings.model_key is None else ():
            where, genome = f"policies.{name}.genome", policy.genome
            genes = ("memory.embedding_weight",) if genome.memory.embeds else ()
            for gene in (*genes, *(("strategy.agreement",) if compares_meanings(genome.strategy) else ())):
                yield f"{where}.{gene}: needs embeddings; name their model as `embeddings.model_key`"

    def _references(self) -> Iterator[tuple[str, str | None, Collection[str]]]:
        """(where, the name used there, the names defined) of everything that refers to something else."""
        for key, model in self.models.items():
            for name in model.places:
                yield f"models.{key}.upstream", name, self.upstreams
        for name, policy in self.policies.items():
            genes = policy.genome.strategy
            if genes.model_key != AUTO:
                yield f"policies.{name}.genome.strategy.model_key", genes.model_key, self.models
            for gene, key in (*answering(genes), *verifying(genes)):
                yield f"policies.{name}.genome.strategy.{gene}", key, self.models
            for at, key in enumerate(policy.resilience.fallbacks):
                yield f"policies.{name}.resilience.fallbacks.{at}", key, self.models
        yield "embeddings.model_key", self.embeddings.model_key, self.models
        yield "evolver.judge.model_key", self.evolver.judge.model_key, self.models
        yield "evolver.reflection.model_key", self.evolver.reflection.model_key, self.models
