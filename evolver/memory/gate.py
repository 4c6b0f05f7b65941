"""The gate of memories: what a snapshot brings in beside its base is held to the write filter, entry by entry.

An operator's import passes the same filter at the command line; here it is what evolution proposes.
"""

import re
from collections.abc import Sequence

from evolver.context import Context
from evolver.proposals.recorded import Recorded
from policies.errors import NotFoundError
from policies.genome import Genome
from policies.lint import demands
from policies.memory import Entry, lint_entry

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


async def memory_gate(
    policy: str, base: Genome, candidate: Genome, context: Context, sealed: Sequence[str] = ()
) -> list[str]:
    """What is wrong with a candidate's memory, one sentence each; empty: nothing. `sealed` may not be quoted."""
    try:
        held = await context.memory(policy, candidate)
        known = set((await context.memory(policy, base)).entries)
    except NotFoundError as error:
        return [str(error)]
    problems = []
    most = context.settings.evolver.memory.max_entries
    if len(held.library) > max(most, sum(entry.active for entry in known)):
        problems.append(f"It has {len(held.library):,} active entries; evolution keeps at most {most:,}.")
    golden = Recorded(sealed)
    for entry in held.entries:
        if entry.active and entry not in known:
            problems += faults(entry, golden)
    return problems


def faults(entry: Entry, golden: Recorded) -> list[str]:
    """Why evolution may not write an entry: what no entry may hold, demands, golden answers, no source."""
    found = lint_entry(entry)
    texts = (entry.text, entry.answer)
    if any(demands(sentence) for text in texts for sentence in _SENTENCE_END.split(text)):
        found.append(f"Entry '{entry.id}' demands something of the model.")
    if any(golden.quoted(text) is not None for text in texts if text):
        found.append(f"Entry '{entry.id}' quotes an example that candidates are held to.")
    if not entry.sources:
        found.append(f"Entry '{entry.id}' names no record that it was learnt from.")
    return found


async def sources_of(policy: str, base: Genome, candidate: Genome, context: Context) -> frozenset[str]:
    """Records that a candidate's memory was learnt from and its base's was not: it is not to be judged by these."""
    if candidate.memory.snapshot in {None, base.memory.snapshot}:
        return frozenset()
    before, after = await context.memory(policy, base), await context.memory(policy, candidate)
    known = {source for entry in before.entries for source in entry.sources}
    return frozenset(source for entry in after.entries for source in entry.sources) - known
