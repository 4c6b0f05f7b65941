"""Every setting, typed and bounded, with its default and its unit. The names are users' contract.

Here they come together, and what refers to a name is held against what is defined.
"""

from collections.abc import Collection, Iterator
from typing import Literal

from pydantic import Field, model_validator

from config.evolving import Evolver
from config.gateway import Embeddings, Gateway, Telemetry
from config.policy import Policy
from config.records import Recording, Registry
from config.section import Section
from config.upstreams import Model, Upstream
from policies.strategy.choice import RESERVED, answering, compares_meanings, verifying
from policies.strategy.router import AUTO, Choice


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
