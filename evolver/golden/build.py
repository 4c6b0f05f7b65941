"""A golden set: near-duplicates dropped, the rest parted, and nothing on the far side that a prompt already quotes.

1. Items of one conversation, and items whose questions resemble each other, always share a split.
2. The split is a hash of the oldest conversation among them, so that a later export parts the same items alike.
3. What a prompt, a worked example or a memory quotes may train and nothing else, with all that hangs together with it.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from evolver.golden.similar import similar_pairs
from evolver.golden.values import SPLITS, Golden, Item, Split
from evolver.proposals.recorded import Recorded

SAME = 0.8  # resemblance from which the second of two questions is dropped
RELATED = 0.6  # ... from which they share a split
SHARES: dict[Split, float] = {"train": 0.6, "validation": 0.15, "test": 0.15, "anchors": 0.1}


def build(
    items: Sequence[Item], *, limit: int | None = None, known: Sequence[str] = (), left_out: Counter[str] | None = None
) -> Golden:
    """The set.

    Args:
        items: Recorded and hand-written ones.
        limit: At most so many of the recorded, the newest; hand-written ones are all taken.
        known: Texts that models are shown: rules, worked examples, memories.
        left_out: Reasons and counts of what was not even collected.
    """
    ordered = sorted(items, key=lambda item: (item.source != "hand", -item.quality, -item.at, item.id))
    pairs = list(similar_pairs([item.question for item in ordered], RELATED))
    dropped = _duplicates(ordered, pairs)
    kept = _limited([i for i in range(len(ordered)) if i not in dropped], ordered, limit)
    groups = _groups(ordered, [(one, other) for one, other, _ in pairs])
    leaked = _leaked([ordered[i] for i in kept], known)
    parts: dict[Split, list[Item]] = {split: [] for split in SPLITS}
    for group in groups:
        members = [ordered[i] for i in group if i in kept]
        parts[_split([ordered[i] for i in group], leaked)] += members
    return Golden(
        splits={split: tuple(sorted(parts[split], key=lambda item: (item.at, item.id))) for split in SPLITS},
        duplicates=len(dropped),
        leaked=tuple(sorted(leaked)),
        left_out=dict(left_out or {}),
    )


def _duplicates(items: Sequence[Item], pairs: Iterable[tuple[int, int, float]]) -> set[int]:
    """Of two that are the same, the later one: less sure, or older. An anchor stays."""
    dropped: set[int] = set()
    for earlier, later, value in pairs:
        if value >= SAME and earlier not in dropped and not items[later].anchor:
            dropped.add(later)
    return dropped


def _limited(kept: Sequence[int], items: Sequence[Item], limit: int | None) -> set[int]:
    recorded = sorted((i for i in kept if items[i].source == "recorded"), key=lambda i: (-items[i].at, items[i].id))
    return {i for i in kept if items[i].source == "hand"} | set(recorded[:limit])


def _groups(items: Sequence[Item], related: Iterable[tuple[int, int]]) -> list[list[int]]:
    """What hangs together by conversation or by resemblance, dropped ones included (they link others)."""
    leader = list(range(len(items)))

    def root(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    first: dict[str, int] = {}
    same = [(first.setdefault(item.conversation, i), i) for i, item in enumerate(items)]
    for one, other in (*same, *related):
        leader[root(other)] = root(one)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for i in range(len(items)):
        groups[root(i)].append(i)
    return list(groups.values())


def _leaked(items: Sequence[Item], known: Sequence[str]) -> set[str]:
    """Ids of the items that one of these texts quotes."""
    texts = [text for text in known if text]
    leaked = set()
    for item in items:
        quotable = Recorded([item.question, item.expected])
        if any(quotable.quoted(text) is not None for text in texts):
            leaked.add(item.id)
    return leaked


def _split(group: Sequence[Item], leaked: set[str]) -> Split:
    if any(item.id in leaked for item in group):
        return "train"
    if any(item.anchor for item in group):
        return "anchors"
    oldest = min(group, key=lambda item: (item.at, item.conversation))
    place = int.from_bytes(hashlib.blake2b(oldest.conversation.encode(), digest_size=6, person=b"golden").digest())
    share = place / 2**48
    for split in SPLITS:
        share -= SHARES[split]
        if share < 0:
            return split
    return SPLITS[-1]
