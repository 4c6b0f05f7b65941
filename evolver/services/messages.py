"""What the services take and answer."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from evolver.training.values import Method
from policies.genome import LayerName

MOST_EXAMPLES = 10_000
Text = Annotated[str, Field(min_length=1, max_length=20_000)]
Limit = Annotated[int, Field(ge=1, le=MOST_EXAMPLES)]


class Request(BaseModel):
    """What all requests share: unknown keys are errors; without a policy the first there is is meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: str | None = None


class ClusterRequest(Request):
    """Group these texts, or the newest recorded requests of a policy."""

    texts: list[Text] | None = Field(default=None, max_length=MOST_EXAMPLES)
    limit: Limit = 2_000


class PatchesRequest(Request):
    """Propose patches of a policy's production genome from its newest recordings."""

    limit: Limit = 2_000


class RankRequest(Request):
    """Rank rules by how clear and how short they are; those that say what an earlier one says come last."""

    texts: list[Text] = Field(min_length=1, max_length=200)


class Answer(BaseModel):
    """What all answers share. No field has a default: each is in every answer."""

    model_config = ConfigDict(frozen=True)


class Cluster(Answer):
    """Texts about the same; a few of them as they are."""

    size: int = Field(ge=1)
    terms: list[str]
    representatives: list[str]


class ClusterAnswer(Answer):
    """The clusters, and how many texts there were."""

    clusters: list[Cluster]
    n: int = Field(ge=0)


class Found(Answer):
    """A finding of the analysis behind the patches."""

    id: str
    kind: str
    severity: float = Field(ge=0.0, le=1.0)
    summary: str
    recommendation: str
    evidence: dict[str, Any]


class Patch(Answer):
    """A genome that differs from production in one layer, why it is worth a try, and how it ranks."""

    layer: LayerName
    content_hash: str
    genome: dict[str, Any]
    lineage: dict[str, Any]
    score: float
    parts: dict[str, float]  # what the score is made of


class PatchesAnswer(Answer):
    """Patches of the version `base`, best first."""

    base: str
    findings: list[Found]
    patches: list[Patch]


class Ranked(Answer):
    """One rule: `new` where neither production nor a better one says it already."""

    text: str
    new: bool
    clarity: float = Field(ge=0.0, le=1.0)
    brevity: float = Field(ge=0.0, le=1.0)


class RankAnswer(Answer):
    """All of them, best first."""

    ranked: list[Ranked]


class RewardGain(Answer):
    """Mean gain in reward over production on requests that training never saw; `low` bounds it at about 95 %."""

    mean: float
    low: float
    examples: int = Field(ge=0)
    base: float  # production's mean reward there


class Group(Answer):
    """One group of rollouts on the same requests: what it showed, and what was learnt of it."""

    round: int = Field(ge=0)
    cluster: str
    size: int = Field(ge=0)
    mean: float
    std: float = Field(ge=0.0)
    best: float
    skipped: str
    kl: float
    clipped: float = Field(ge=0.0, le=1.0)
    learnt: str


class TrainAnswer(Answer):
    """What came of the training of the version `base`: no genome where nothing was learnt, no candidate unproposed."""

    method: Method
    base: str
    candidate: str | None
    reward_gain: RewardGain | None
    groups: list[Group]
    calls: int = Field(ge=0)
    usd: float = Field(ge=0.0)
    said: str
    faults: list[str]
    policy: dict[str, dict[str, float]] | None  # slot -> option -> learnt probability
    genome: dict[str, Any] | None
    hash: str | None
    lineage: dict[str, Any] | None
