"""All that decides how a search goes, as one value that survives the process."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np

from config.evolving import Search
from evolver.examples import Example
from evolver.search.breeding import Breeding
from evolver.search.engine import search
from evolver.search.journal import Journal
from evolver.search.operators import Material
from evolver.search.race import Ceiling
from evolver.search.values import Evaluate, Generation, SearchResult
from policies.genome import FewShot, Genome, Lineage, Rule

MOST_AGE_S = 86_400.0  # an older plan is about traffic that has passed


@dataclass(frozen=True, slots=True)
class Plan:
    """A search before it begins. The base, usually production, is the first of the seeds."""

    seeds: tuple[tuple[Genome, Lineage], ...]
    examples: tuple[Example, ...]
    settings: Search
    material: Material
    rng: Mapping[str, Any]  # state of a numpy bit generator
    began: float  # Unix seconds
    note: Mapping[str, Any] = field(default_factory=dict)  # JSON values of the one who planned

    def fits(self, base: Genome, settings: Search, now: float) -> bool:
        """Is it still worth going on with: the same production, the same settings, not a day old?"""
        young = 0.0 <= now - self.began < MOST_AGE_S
        return young and self.settings == settings and self.seeds[0][0].content_hash == base.content_hash

    async def run(
        self,
        evaluate: Evaluate,
        *,
        ceiling: Ceiling,
        journal: Journal | None = None,
        on_generation: Callable[[Generation], None] | None = None,
    ) -> SearchResult:
        """The search, or the rest of it where the journal holds its beginning."""
        rng = np.random.default_rng()
        rng.bit_generator.state = dict(self.rng)
        return await search(
            self.seeds,
            evaluate,
            examples=self.examples,
            settings=self.settings,
            rng=rng,
            breeding=Breeding(material=self.material),
            ceiling=ceiling,
            journal=journal,
            on_generation=on_generation,
        )

    def to_json(self) -> dict[str, Any]:
        """JSON values; integers of any size."""
        return {
            "seeds": [
                [genome.canonical(), lineage.model_dump(mode="json", exclude_defaults=True)]
                for genome, lineage in self.seeds
            ],
            "examples": [asdict(example) for example in self.examples],
            "settings": self.settings.model_dump(mode="json"),
            "material": _material_to_json(self.material),
            "rng": dict(self.rng),
            "began": self.began,
            "note": dict(self.note),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self | None:
        """As `to_json` gave it; None where it can't be read, perhaps because another version wrote it."""
        try:
            return cls(
                seeds=tuple((Genome.model_validate(g), Lineage.model_validate(li)) for g, li in value["seeds"]),
                examples=tuple(Example(**example) for example in value["examples"]),
                settings=Search.model_validate(value["settings"]),
                material=_material_from_json(value["material"]),
                rng=value["rng"],
                began=float(value["began"]),
                note=value["note"],
            )
        except (KeyError, TypeError, ValueError):
            return None


def _material_to_json(material: Material) -> dict[str, Any]:
    return {
        "model_keys": material.model_keys,
        "rules": [rule.model_dump(mode="json") for rule in material.rules],
        "rewrites": dict(material.rewrites),
        "few_shots": [shot.model_dump(mode="json") for shot in material.few_shots],
        "tool_instructions": material.tool_instructions,
        "layers": material.layers,
        "routed": material.routed,
        "embeds": material.embeds,
        "intents": material.intents,
        "frozen": sorted(material.frozen),
    }


def _material_from_json(value: Mapping[str, Any]) -> Material:
    return Material(
        model_keys=tuple(value["model_keys"]),
        rules=tuple(Rule.model_validate(rule) for rule in value["rules"]),
        rewrites={rule: tuple(texts) for rule, texts in value["rewrites"].items()},
        few_shots=tuple(FewShot.model_validate(shot) for shot in value["few_shots"]),
        tool_instructions=tuple(value["tool_instructions"]),
        layers=tuple(value["layers"]),
        routed=value.get("routed", False),
        embeds=value.get("embeds", False),
        intents=tuple(value.get("intents", ())),
        frozen=frozenset(value["frozen"]),
    )
