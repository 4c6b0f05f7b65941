"""Names of intents: readable at first sight, and the same from one training to the next.

A new group keeps an old name where the old classifier recognises it: its mean score under the old weights is the
similarity of the two centroids in the space that told the old intents apart. Pairs are matched best first.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evolver.analysis.clusters import Group
from policies.intents import Classifier
from policies.intents.classifier import NAME_CHARS

LOOKED_AT = 200  # texts of a group, nearest to its centre first
KEEPS = 0.3  # mean score from which a group is an old intent's


def named(groups: Sequence[Group], texts: Sequence[str], old: Classifier | None) -> list[str]:
    """One name a group, all different."""
    kept = _matched(groups, texts, old) if old is not None else {}
    taken = {*kept.values(), *(old.names if old is not None else ())}
    names = []
    for number, group in enumerate(groups):
        name = kept.get(number) or _fresh(group.terms, taken)
        taken.add(name)
        names.append(name)
    return names


def _matched(groups: Sequence[Group], texts: Sequence[str], old: Classifier) -> dict[int, str]:
    similar = np.array([_similarity(group, texts, old) for group in groups])
    kept: dict[int, str] = {}
    for flat in np.argsort(-similar, axis=None, kind="stable"):
        group, name = divmod(int(flat), len(old.names))
        if similar[group, name] < KEEPS:
            break
        if group not in kept and old.names[name] not in kept.values():
            kept[group] = old.names[name]
    return kept


def _similarity(group: Group, texts: Sequence[str], old: Classifier) -> NDArray[np.float32]:
    """One mean score an old name."""
    similar: NDArray[np.float32] = np.stack([old.scores(texts[i]) for i in group.members[:LOOKED_AT]]).mean(axis=0)
    return similar


def _fresh(terms: Sequence[str], taken: set[str]) -> str:
    """The two terms that say most; more of them, and then a number, where others have that name."""
    for many in range(2, len(terms) + 1):
        if (name := "-".join(terms[:many])[:NAME_CHARS]) not in taken:
            return name
    stem = "-".join(terms[:2])[: NAME_CHARS - 4] or "topic"
    return next(name for number in range(2, 1000) if (name := f"{stem}-{number}") not in taken)
