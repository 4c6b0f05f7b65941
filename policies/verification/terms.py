"""The parameters that decisions were made by, as the trail has them: noted before they came into force."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from policies.evidence.mirrored import MirrorTerms, terms_of
from policies.fitness import Gates, Weights, resolve
from policies.registry.values import Note

CHANGE_S = 60.0  # by then every worker has taken changed settings over


@dataclass(frozen=True, slots=True)
class Terms:
    """One policy's parameters; names and units are those of the configuration. Older notes lack the shadow's."""

    alpha: float
    ratio: float
    window_s: float
    deadline_s: float
    min_gain: float
    fdr: float
    non_inferiority: dict[str, float]
    floor: float
    production_share: float
    p95_ms: float
    usd_per_request: float
    weights: Weights
    gates: Gates
    mirror: MirrorTerms | None

    @classmethod
    def of(cls, noted: dict[str, Any]) -> Self:
        """From a note's detail.

        Raises:
            KeyError: a parameter is missing.
        """
        breaker, promotion, budgets = noted["breaker"], noted["promotion"], noted["budgets"]
        wanted, gates = noted["reward"]["weights"], noted["reward"]["gates"]
        return cls(
            **{name: breaker[name] for name in ("alpha", "ratio", "window_s", "deadline_s")},
            **{name: promotion[name] for name in ("min_gain", "fdr", "non_inferiority")},
            floor=noted["bandit"]["floor"],
            production_share=noted["bandit"]["production_share"],
            p95_ms=budgets["p95_ms"],
            usd_per_request=budgets["usd_per_request"],
            weights=resolve(
                latency=wanted["latency"],
                tokens=wanted["tokens"],
                repairs=wanted["repairs"],
                cost=wanted["cost"],
                p95_ms=budgets["p95_ms"],
                usd=budgets["usd_per_request"],
            ),
            gates=Gates(gates["validator_score"], gates["accuracy"]),
            mirror=terms_of(noted) if "shadow" in noted and "quality" in promotion["non_inferiority"] else None,
        )


class Timeline:
    """A policy's terms by time, from its notes."""

    def __init__(self, notes: Iterable[Note]) -> None:
        noted = [note for note in notes if note.action == "terms"]
        self._from = [note.at for note in noted]
        self._terms = [Terms.of(note.detail) for note in noted]
        self._spans: dict[tuple[int, int], Sequence[Terms]] = {}

    def at(self, time: float) -> Sequence[Terms]:
        """Those that may have been in force: the last ones noted, and within `CHANGE_S` the ones before."""
        return self.between(time - CHANGE_S, time)

    def between(self, start: float, end: float) -> Sequence[Terms]:
        """All that were in force at some moment of that span, newest first."""
        span = max(bisect_right(self._from, start) - 1, 0), bisect_right(self._from, end)
        found = self._spans.get(span)
        if found is None:
            found = self._spans[span] = self._terms[span[0] : span[1]][::-1]
        return found
