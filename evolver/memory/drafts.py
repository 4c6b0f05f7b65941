"""Drafts of a changed memory: one that has learnt, one that has been tidied, one with worked examples. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from config.evolving import MemoryEvolution
from evolver.analysis.topics import topics
from evolver.examples import Example
from evolver.memory.changes import additions, found_by, merges, upkeep
from evolver.memory.gate import faults
from evolver.memory.learn import Learnt, facts, shots, telling
from evolver.memory.shelf import Held
from evolver.proposals.recorded import Recorded
from policies.genome import MemoryLayer
from policies.memory import Entry, Library
from policies.memory import counters as worth
from policies.memory.operations import Operation, applied
from policies.registry.values import Finding

LEARNT = "memory:learn"  # the operator in the lineage of what was learnt
TOP_K, SHOTS_K = 3, 2  # entries and examples, where a genome had none
CUT_OFF = 0.5  # of what a right entry usually scores
VOTES = 2  # conversations that say which entry a topic lacked
_NEAR = 20  # entries among which the right one is looked for


@dataclass(frozen=True, slots=True)
class Draft:
    """A changed memory on its way to a proposal. `tidy` ones have nothing new to give to failed requests."""

    operator: str
    operations: tuple[Operation, ...]
    entries: tuple[Entry, ...]
    genes: MemoryLayer
    tidy: bool = False


@dataclass(frozen=True, slots=True)
class Author:
    """Writes drafts on what a genome's memory holds. `golden` may not be quoted."""

    held: Held
    genes: MemoryLayer
    rules: MemoryEvolution
    golden: Recorded

    def learning(self, findings: Sequence[Finding], examples: Sequence[Example]) -> Draft | None:
        """New facts, what they supersede, what says the same, and words by which entries were missed."""
        learnt = self._allowed(facts(examples, self.rules.min_units))
        room = max(0, self.rules.max_entries - len(self.held.library))
        new = [*_within(additions(self.held.entries, learnt), room)]
        entries = applied(self.held.entries, new)
        new += found_by(entries, lacking(self.held.library, findings, examples))
        if not new:
            return None
        entries = applied(self.held.entries, new)
        same = merges(entries)
        entries = applied(entries, same)
        genes = self.genes.model_copy(update={"retriever_topk": self.genes.retriever_topk or TOP_K})
        if not genes.min_score:
            genes = genes.model_copy(update={"min_score": cut_off(Library(entries), learnt)})
        return Draft(LEARNT, (*new, *same), tuple(entries), genes)

    def tidied(self, counters: Mapping[str, worth.Counter]) -> Draft | None:
        """What the counters say; None where nothing is retrieved, or nothing is to be done."""
        operations = upkeep(self.held.entries, counters, self.rules.max_entries) if self.genes.recalls else []
        if not operations:
            return None
        entries = applied(self.held.entries, operations)
        return Draft("memory:tidy", tuple(operations), tuple(entries), self.genes, tidy=True)

    def showing(self, examples: Sequence[Example], rng: np.random.Generator) -> Draft | None:
        """Worked examples of the topics that enough conversations share, where the operator wants any."""
        if not self.rules.shots:
            return None
        learnt = self._allowed(shots(topics(examples, by_model=False, rng=rng), self.rules.min_units))
        operations = additions(self.held.entries, learnt)
        if not operations:
            return None
        genes = self.genes.model_copy(update={"shots_topk": self.genes.shots_topk or SHOTS_K})
        return Draft("memory:show", tuple(operations), tuple(applied(self.held.entries, operations)), genes)

    def _allowed(self, learnt: Iterable[Learnt]) -> list[Learnt]:
        return [one for one in learnt if not faults(one.entry, self.golden)]


def cut_off(library: Library, learnt: Sequence[Learnt]) -> float:
    """Half of what the right entry usually scores for a question that it is known to answer; 0 where none is known."""
    scores = []
    for one in learnt:
        for asked in one.asked:
            found = library.facts.top(asked, _NEAR, namespace=one.entry.namespace)
            scores += [score for entry, score in found if entry.id == one.entry.id]
    return round(CUT_OFF * median(scores), 1) if scores else 0.0


def lacking(library: Library, findings: Sequence[Finding], examples: Sequence[Example]) -> dict[str, set[str]]:
    """Entry id -> words of questions that memory had the answer to, as corrections show, and did not find it."""
    by_id = {example.id: example for example in examples}
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    gaps = [finding for finding in findings if finding.kind == "memory_gap"]
    for record in dict.fromkeys(name for finding in gaps for name in finding.evidence.get("records", ())):
        example = by_id.get(record)
        if example is None or not example.correction:
            continue
        said = set(telling(example.correction))
        for entry, _ in library.facts.top(example.correction, 3, namespace=example.tenant):
            if said and said <= set(telling(" ".join((entry.text, *entry.topics)))):
                votes[entry.id].update(set(telling(example.request_text)))
    return {name: {word for word, count in words.items() if count >= VOTES} for name, words in votes.items()}


def _within(operations: Sequence[Operation], room: int) -> Iterator[Operation]:
    """As many as there is room for; what takes another's place needs none."""
    first = Operation("add", (), ())
    for before, operation in pairwise((first, *operations)):
        if operation.kind == "add" and before.kind != "deprecate":
            if room <= 0:
                continue
            room -= 1
        yield operation
