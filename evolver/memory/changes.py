"""From what was learnt, and from what became of entries, to operations on a memory. Pure.

1. What is said already is not said again: entries that say the same become one.
2. A statement that differs from another in its figures alone takes its place: the world has changed, or the first was
   wrong. Of two new ones that contradict each other neither is believed unless more stands behind it.
3. Room is kept by deprecating what has proved least; what hold-outs show to harm goes at once, and comes back for
   another try when that is long ago.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from evolver.memory.learn import Learnt
from policies.memory import Entry, Index
from policies.memory.counters import Counter
from policies.memory.operations import Operation
from policies.memory.words import words

HARM = "requests fared worse with it"
ALIKE = 0.8  # share of all words of two entries that both have, for them to say the same
_NEIGHBOURS = 4
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")


def additions(entries: Sequence[Entry], learnt: Sequence[Learnt]) -> list[Operation]:
    """Operations that take the learnt in, the best founded first."""
    said = {_said(entry) for entry in entries}
    by_shape: dict[tuple[str, str], Entry] = {_shape(entry): entry for entry in entries if _plain(entry)}
    operations: list[Operation] = []
    for one in _undisputed(learnt):
        entry = one.entry
        if _said(entry) in said:
            continue
        said.add(_said(entry))
        if _plain(entry) and (old := by_shape.get(_shape(entry))) is not None:
            operations.append(Operation.deprecate(old, f"superseded by {entry.id}"))
        operations.append(Operation.add(entry, f"{one.units} conversations stand behind it"))
    return operations


def merges(entries: Sequence[Entry]) -> list[Operation]:
    """Entries that say what others say as well, merged into these: all words of one are in the other."""
    active = {entry.id: entry for entry in entries if _plain(entry)}
    index = Index(active.values())
    gone: set[str] = set()
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(active.values(), key=lambda one: (-len(words(one.text)), one.id)):
        near = (found for found, _ in index.top(entry.text, _NEIGHBOURS, namespace=entry.namespace))
        for other in (active[found.id] for found in near):
            if other.id not in gone and other.id not in groups and entry.id not in gone and _covers(entry, other):
                gone.add(other.id)
                groups[entry.id].append(other)
    return [Operation.merge(active[kept], tuple(others), "they say the same") for kept, others in groups.items()]


def upkeep(entries: Sequence[Entry], counters: Mapping[str, Counter], most: int) -> list[Operation]:
    """What the counters say: harm goes, what harmed long ago comes back, and no more than `most` stay."""
    none = Counter()
    harmful = [entry for entry in entries if entry.active and counters.get(entry.id, none).harms]
    operations = [Operation.deprecate(entry, _harm(counters[entry.id])) for entry in harmful]
    operations += [
        Operation.restore(entry, "what spoke against it is long ago")
        for entry in entries
        if not entry.active and entry.why.startswith(HARM) and not counters.get(entry.id, none).harms
    ]
    staying = [entry for entry in entries if entry.active and entry not in harmful]
    surplus = len(staying) - most
    if surplus > 0:
        ranked = sorted(staying, key=lambda entry: (counters.get(entry.id, none).lower, entry.id))
        operations += [Operation.deprecate(entry, f"beyond {most:,}, the least proven") for entry in ranked[:surplus]]
    return operations


def found_by(entries: Iterable[Entry], lacking: Mapping[str, Iterable[str]]) -> list[Operation]:
    """Entries that are to be found by further words: entry id -> words."""
    return [
        Operation.index(entry, sorted(new), "a topic that lacked it asks in these words")
        for entry in entries
        if entry.active and (new := set(lacking.get(entry.id, ())) - set(words(" ".join((entry.text, *entry.topics)))))
    ]


def _harm(counter: Counter) -> str:
    with_it, without = counter.shown.mean, counter.without.mean
    return f"{HARM} ({with_it:.2f}) than held out of it ({without:.2f})"


def _undisputed(learnt: Sequence[Learnt]) -> list[Learnt]:
    """Of statements that differ in their figures alone, the one with most behind it; none where two have as much."""
    by_shape: dict[tuple[str, str], list[Learnt]] = defaultdict(list)
    for one in learnt:
        by_shape[_shape(one.entry) if not one.entry.answer else (one.entry.namespace, one.entry.id)].append(one)
    ranked = (sorted(group, key=lambda one: (-one.units, one.entry.id)) for group in by_shape.values())
    kept = [group[0] for group in ranked if len(group) == 1 or group[0].units > group[1].units]
    return sorted(kept, key=lambda one: (-one.units, one.entry.id))


def _plain(entry: Entry) -> bool:
    return entry.active and not entry.answer


def _said(entry: Entry) -> tuple[str, ...]:
    return entry.namespace, " ".join(words(entry.text)), " ".join(words(entry.answer))


def _shape(entry: Entry) -> tuple[str, str]:
    """The statement without its figures; one without figures has no shape but its own."""
    return entry.namespace, " ".join(words(_DIGITS.sub("0", entry.text)))


def _covers(entry: Entry, other: Entry) -> bool:
    if entry.id == other.id or entry.namespace != other.namespace:
        return False
    long, short = set(words(entry.text)), set(words(other.text))
    return short <= long and len(short) >= ALIKE * len(long)
