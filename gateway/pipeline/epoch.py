"""An epoch: everything a request needs to know, computed beforehand and never changed afterwards.

A new epoch replaces the old one with a single assignment. A request in flight keeps the epoch it began with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from config.policy import Policy
from config.settings import Settings
from gateway.pipeline.memories import Memory
from gateway.pipeline.metrics import ArmCounters
from gateway.pipeline.places import Places
from gateway.pipeline.routes import Route
from policies.assignment import Shares
from policies.dialects import Dialect
from policies.fitness import Gates, Weights
from policies.genome import Genome, StrategyLayer
from policies.intents import Classifier
from policies.matching import Matcher
from policies.registry.values import Role
from policies.render import ModelTarget, Renderer
from policies.resilience import ResilienceRules, RetryBudget, TimeoutRules
from policies.strategy.checking import Checks
from policies.strategy.router import Router
from policies.strategy.router import Weights as RouterWeights
from policies.validators import Validators


@dataclass(frozen=True, slots=True)
class Target:
    """Where a rendered request goes, and what its tokens cost in US dollars per million."""

    route: Route | None
    model: ModelTarget | None = None
    input_price: float = 0.0
    cached_price: float | None = None
    output_price: float = 0.0
    places: Places | None = None  # where several upstreams share the model; `route` is the first of them


@dataclass(frozen=True, slots=True)
class Way:
    """A renderer and the target that it renders for."""

    renderer: Renderer
    target: Target


@dataclass(frozen=True, slots=True)
class Open:
    """An arm whose genome leaves the model open, or prefers one for some intents.

    The router is the policy's, and outlives epochs.
    """

    router: Router | None  # None: the genome names a model for all other requests
    ways: tuple[Way, ...]  # by position in the router's choices
    weights: RouterWeights
    preferred: Mapping[str, Way]  # by intent


@dataclass(frozen=True, slots=True)
class Service:
    """What it takes to serve a request by several calls, or to mend an answer."""

    genes: StrategyLayer
    ways: Mapping[str, Way]  # by model key: those of calls to other models than the request's own
    verifying: Mapping[str, Way]  # by model key: for questions about answers, which no genome shapes
    comment_every_s: float  # to a client that streams, while its answer is held back


@dataclass(frozen=True, slots=True)
class Arm:
    """One genome of a policy, ready to serve."""

    hash: str
    role: Role
    version: str
    candidate: str | None
    genome: Genome
    default: Way
    by_model: Mapping[str, Way]  # client's model name -> way, where it is an alias or a known model
    fallbacks: tuple[Way, ...]  # for a request that failed, in order
    memory: Memory | None
    counters: ArmCounters
    rules: ResilienceRules  # the policy's, as far as the genome says nothing else
    timeouts: TimeoutRules | None  # None: the upstream's own
    service: Service | None = None  # None: one call, relayed as it comes
    open: Open | None = None  # None: the model is the genome's or the client's, whatever is asked
    lines: bytes = field(init=False, repr=False)  # what an answer's head says of it
    recorded: bytes = field(init=False, repr=False)  # what an assignment says of it, as members of a JSON object
    alone: bytes = field(init=False, repr=False)  # the odds where there is no other, as recorded

    def __post_init__(self) -> None:
        lines = f"x-evogate-version: {self.version}\r\nx-evogate-genome: {self.hash}"
        object.__setattr__(self, "lines", lines.encode())
        said = {"arm": self.hash, "role": self.role, "version": self.version, "candidate": self.candidate}
        object.__setattr__(self, "recorded", orjson.dumps(said)[1:-1])
        object.__setattr__(self, "alone", orjson.dumps([(self.hash, 1.0)]))

    def way(self, model: str) -> Way:
        """How a request for `model` is rendered."""
        return self.by_model.get(model) or self.default


@dataclass(frozen=True, slots=True)
class Entrance:
    """How a unit drawn to an arm enters one experiment. `q` is the challenger's propensity among the two."""

    experiment: str
    challenger: bool
    q: float


@dataclass(frozen=True, slots=True)
class Trial:
    """A running comparison. `subject` is the arm it may trip, `control` the arm it is compared with."""

    experiment: str
    candidate: str  # candidate id
    subject: str
    control: str
    holdback: bool
    started_at: float
    tries: int = 0  # earlier ones, see policies.evidence.returns
    sides: tuple[frozenset[str], frozenset[str]] | None = None  # of a factorial: all arms without and with the subject


@dataclass(frozen=True, slots=True)
class Drawing:
    """The odds of a draw among a view's `drawn`, and how whoever is drawn enters the running experiments."""

    shares: Shares
    odds: tuple[tuple[str, float], ...]  # (content hash, propensity)
    entrances: tuple[tuple[Entrance, ...], ...]  # by position in `drawn`
    recorded: bytes = field(init=False, repr=False)  # `odds` as recorded, JSON

    def __post_init__(self) -> None:
        object.__setattr__(self, "recorded", orjson.dumps(self.odds))


@dataclass(frozen=True, slots=True)
class PolicyView:
    """One policy of an epoch."""

    name: str
    name_json: bytes = field(init=False, repr=False)
    settings: Policy
    production: Arm
    arms: Mapping[str, Arm]  # by content hash: all that a conversation may be pinned to
    drawn: tuple[Arm, ...]  # those that new conversations are drawn among, as in `shares`
    drawing: Drawing
    by_intent: Mapping[str, Drawing]  # of requests that are known to be about something; empty: `drawing` is for all
    salt: bytes
    salt_name: str  # what recordings call it
    experiments: tuple[str | None, ...]  # what the assignment frame names, by position in `drawn`
    trials: tuple[Trial, ...]
    subjects: frozenset[str]  # arms that a trial may take back
    shadows: tuple[Arm, ...]
    retries: RetryBudget
    dialect: Dialect  # of the endpoint that the policy covers
    validators: Validators
    always_validates: bool  # some check applies even without `response_format` and tool calls
    checks: Checks  # the same, as strategies hold answers to them
    weights: Weights
    gates: Gates
    intents: Classifier | None  # None: nothing has been learnt yet
    unit_kind: str  # conversation | request | header
    unit_header: bytes | None
    frozen: bool
    problems: tuple[str, ...] = ()  # why an arm is left out, for the operator

    @property
    def shares(self) -> Shares:
        """Those of requests whose intent is not known, or not told apart."""
        return self.drawing.shares

    @property
    def odds(self) -> tuple[tuple[str, float], ...]:
        """The same as (content hash, propensity)."""
        return self.drawing.odds

    router: Router | None = None  # None: no model may be chosen
    tenant_header: bytes | None = None  # says whose request it is; None: memories are everybody's

    def __post_init__(self) -> None:
        object.__setattr__(self, "name_json", orjson.dumps(self.name))


@dataclass(frozen=True, slots=True)
class Epoch:
    """A whole snapshot. `number` grows with every swap of this worker."""

    number: int
    settings: Settings
    matcher: Matcher
    paths: frozenset[bytes]  # those that some policy covers
    policies: Mapping[str, PolicyView]
    targets: Mapping[str, Target]  # by model key and by provider's model name
    fallback: Target  # where a covered request goes that nothing else decides
    default_route: Route | None  # where uncovered ones go
    frozen: bool
    created_at: float
