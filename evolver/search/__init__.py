"""Search over genomes: typed variation, racing on paired examples, Pareto ranking, and a budget that holds."""

from evolver.search.budget import Budget, OverrunError, Reservation
from evolver.search.engine import Breeding, search
from evolver.search.genes import GENES, Gene
from evolver.search.operators import OPERATORS, Material, Operator
from evolver.search.parents import ParentSelection, PerInstancePareto, Tournament
from evolver.search.values import Evaluate, Generation, Objectives, Ranked, Score, SearchResult

__all__ = [
    "GENES",
    "OPERATORS",
    "Breeding",
    "Budget",
    "Evaluate",
    "Gene",
    "Generation",
    "Material",
    "Objectives",
    "Operator",
    "OverrunError",
    "ParentSelection",
    "PerInstancePareto",
    "Ranked",
    "Reservation",
    "Score",
    "SearchResult",
    "Tournament",
    "search",
]
