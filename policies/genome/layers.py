"""The three layers of a genome: typed, bounded, frozen.

A gene enters the schema when it acts (see the closed-loop table in tests/). Defaults mean "leave the
request as the client sent it" and are omitted from the canonical form, so that a new gene never changes
the hash of an old genome.
"""

import hashlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from policies.strategy.agreement import Mode

LayerName = Literal["prompt", "memory", "strategy"]
LAYERS: tuple[LayerName, ...] = ("prompt", "memory", "strategy")

ModelKey = Annotated[str, Field(min_length=1, max_length=128)]
RouterWeight = Annotated[float, Field(ge=0.0, le=2.0)]
RuleText = Annotated[str, Field(min_length=1, max_length=4_000)]


class Layer(BaseModel):
    """What all layers share: immutable, and no unknown genes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(Layer):
    """One addressable sentence or paragraph of the system prompt."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")
    text: RuleText

    @model_validator(mode="before")
    @classmethod
    def _name_by_content(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {"text": value}
        if isinstance(value, dict) and "id" not in value and isinstance(value.get("text"), str):
            digest = hashlib.blake2b(value["text"].encode(), digest_size=4).hexdigest()
            value = {**value, "id": f"r{digest}"}
        return value


class FewShot(Layer):
    """One worked example, rendered as a user and an assistant message."""

    user: Annotated[str, Field(min_length=1, max_length=8_000)]
    assistant: Annotated[str, Field(min_length=1, max_length=8_000)]


class PromptLayer(Layer):
    """What the model is told. An empty rubric and unset genes add nothing to the client's messages."""

    rubric: tuple[Rule, ...] = Field(default=(), max_length=64)
    placement: Literal["before", "after", "replace"] = "before"
    cot: bool = False
    few_shots: tuple[FewShot, ...] = Field(default=(), max_length=16)
    tone: Literal["neutral", "friendly", "formal"] | None = None
    verbosity: Literal["brief", "balanced", "thorough"] | None = None
    format: Literal["plain", "markdown", "json"] | None = None
    tool_instructions: RuleText | None = None

    @field_validator("rubric", mode="before")
    @classmethod
    def _text_is_one_rule(cls, value: Any) -> Any:
        return ((value,) if value else ()) if isinstance(value, str) else value

    @field_validator("rubric")
    @classmethod
    def _ids_are_unique(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        ids = [rule.id for rule in rules]
        if len(set(ids)) != len(ids):
            raise ValueError("two rules have the same id; give each rule an id of its own")
        return rules


class Preference(Layer):
    """Requests of an intent (as `policies.intents` names it) go to a model."""

    intent: Annotated[str, Field(min_length=1, max_length=64)]
    model: ModelKey


class MemoryLayer(Layer):
    """What the model is reminded of: `retriever_topk` entries of the snapshot with that content hash.

    `shots_topk` of its worked examples stand beside them as turns. Neither takes what scores below `min_score`. A score
    is BM25's, and with an `embedding_weight` that weight times the cosine of the embeddings is added.
    """

    retriever_topk: int = Field(default=0, ge=0, le=20)
    shots_topk: int = Field(default=0, ge=0, le=8)
    embedding_weight: float = Field(default=0.0, ge=0.0, le=50.0)  # 0: no embedding is asked for
    min_score: float = Field(default=0.0, ge=0.0, le=50.0)
    snapshot: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")

    @property
    def recalls(self) -> bool:
        """Whether anything is looked up at all."""
        return self.retriever_topk > 0 or self.shots_topk > 0

    @property
    def embeds(self) -> bool:
        """Whether what is looked up is looked up by meaning as well."""
        return self.recalls and self.embedding_weight > 0.0


class StrategyLayer(Layer):
    """How the model is called. `None` leaves the client's own value in force."""

    model_key: ModelKey | None = None  # `auto`: the router decides, see policies/strategy/router.py
    router_similarity: RouterWeight = 1.0
    router_capability: RouterWeight = 0.3
    router_rating: RouterWeight = 0.3
    router_cost: RouterWeight = 0.3
    router_latency: RouterWeight = 0.1
    temperature: float | None = Field(default=None, ge=0.0, le=1.0)
    top_p: float | None = Field(default=None, gt=0.0, le=1.0)
    max_tokens: int | None = Field(default=None, ge=256, le=8_192)
    # An answer that does not fit the schema asked for, or a tool: mended here, or asked for again as well.
    repairs: Literal["off", "local", "ask"] = "off"
    # Several answer, and what a quorum of them says goes out; see policies/strategy/consensus.py.
    use_consensus: bool = False
    voters: int = Field(default=3, ge=2, le=7)
    voter_models: tuple[ModelKey, ...] = Field(default=(), max_length=7)  # in turn; none: the request's own model
    agreement: Mode = "auto"
    agreement_similarity: float = Field(default=0.9, ge=0.5, le=1.0)  # least cosine of answers that agree (`embedding`)
    quorum: float = Field(default=0.6, gt=0.0, le=1.0)  # share of all voters
    consensus_deadline_s: float = Field(default=30.0, ge=0.1, le=300.0)
    # A cheap model answers first; below the threshold the request escalates; see policies/strategy/cascade.py.
    cascade_model: ModelKey | None = None
    cascade_verifier: ModelKey | None = None  # none: the cheap model itself; `agreement`: of further answers of it
    cascade_threshold: float = Field(default=0.6, ge=0.05, le=1.0)  # of confidence
    cascade_samples: int = Field(default=3, ge=1, le=5)  # verdicts, or further answers
    # Before `model_key`, for requests whose intent is known; written as `{intent: model}` or as a list.
    intent_models: tuple[Preference, ...] = Field(default=(), max_length=16)
    # Limits; none: what the policy and the upstream say.
    timeout_s: float | None = Field(default=None, ge=1.0, le=600.0)  # of all attempts together
    first_byte_timeout_s: float | None = Field(default=None, ge=0.5, le=300.0)  # of one attempt
    retries: int | None = Field(default=None, ge=0, le=5)
    max_in_flight: int | None = Field(default=None, ge=1, le=1_024)  # calls of one channel: policy and model

    @field_validator("intent_models", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        return [{"intent": each, "model": key} for each, key in value.items()] if isinstance(value, dict) else value

    @field_validator("intent_models")
    @classmethod
    def _intents_are_unique(cls, pairs: tuple[Preference, ...]) -> tuple[Preference, ...]:
        if len({pair.intent for pair in pairs}) != len(pairs):
            raise ValueError("an intent has two models; give it one")
        return pairs
