"""Search over genomes: typed variation, racing on paired examples, Pareto ranking, and a budget that holds."""

from evolver.search.breeding import Breeding
from evolver.search.budget import Budget, OverrunError, Reservation
from evolver.search.engine import search
from evolver.search.genes import GENES, Gene
from evolver.search.hypervolume import hypervolume
from evolver.search.journal import Journal
from evolver.search.operators import OPERATORS, Material, Operator
from evolver.search.parents import ParentSelection, PerInstancePareto, Tournament
from evolver.search.progress import progress
from evolver.search.resume import Plan
from evolver.search.values import Evaluate, Generation, Objectives, Ranked, Score, SearchResult

__all__ = [
    "GENES",
    "OPERATORS",
    "Breeding",
    "Budget",
    "Evaluate",
    "Gene",
    "Generation",
    "Journal",
    "Material",
    "Objectives",
    "Operator",
    "OverrunError",
    "ParentSelection",
    "PerInstancePareto",
    "Plan",
    "Ranked",
    "Reservation",
    "Score",
    "SearchResult",
    "Tournament",
    "hypervolume",
    "progress",
    "search",
]
