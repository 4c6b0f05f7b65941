"""One training: group what was asked, name the groups, fit, and publish where something has changed.

Intents come from the requests alone, never from the answers, so that an arm can't move the intent it is judged under.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from evolver.analysis.clusters import Group, cluster
from evolver.context import Context
from evolver.examples import Example
from evolver.intents.names import named
from evolver.intents.train import NONE, Trained, train
from policies.intents import Classifier, from_json, to_json
from policies.registry.values import Note

STATE = "intents:{}"  # of a policy, in the registry
TEXTS = 1_000  # conversations that a training looks at, the newest
MIN_UNITS = 20  # conversations of an intent


async def learn(policy: str, examples: Sequence[Example], context: Context) -> str:
    """Train on the newest conversations and publish; what came of it, as one sentence.

    What is published stays in force where a training comes to nothing: quiet traffic is no reason to forget.
    """
    stored = await context.registry.state(STATE.format(policy))
    old = _readable(stored)
    asked = first_words(examples)
    trained = await asyncio.to_thread(trained_on, asked, old)
    if trained is None:
        return f"no intents from {len(asked)} conversations: too few, or not of several kinds"
    made = trained.classifier
    said = f"{len(made.names)} intents from {len(asked)} conversations: {', '.join(made.names)}"
    if old is not None and old.version == made.version:
        return f"{said}; nothing new"
    measured = {"coverage": round(trained.coverage, 4), "agreement": round(trained.agreement, 4), "texts": len(asked)}
    await context.registry.set_state(STATE.format(policy), to_json(made) | {"at": context.now, "measured": measured})
    detail = {"names": list(made.names), **measured}
    await context.registry.note(Note(context.now, policy, "evolver", "intents", made.version, detail))
    return said


def first_words(examples: Sequence[Example]) -> list[str]:
    """What each of the newest conversations began with, as far as it was recorded."""
    first = {example.unit: example.request_text for example in examples if example.turn == 1}
    texts = (text for text in first.values() if text.strip())
    return [text for text, _ in zip(texts, range(TEXTS), strict=False)]


def trained_on(texts: Sequence[str], old: Classifier | None) -> Trained | None:
    """A classifier of what is asked in `texts`, whatever their order; None where they don't fall into groups."""
    ordered = sorted(texts)
    digest = hashlib.blake2b("\x1f".join(ordered).encode("utf-8", "replace"), digest_size=8).digest()
    rng = np.random.default_rng(int.from_bytes(digest, "big"))
    groups = [group for group in cluster(ordered, rng=rng) if len(group.members) >= MIN_UNITS and group.terms]
    if len(groups) < 2:
        return None
    return train(ordered, _labels(groups, len(ordered)), named(groups, ordered, old))


def _labels(groups: Sequence[Group], texts: int) -> list[int]:
    labels = [NONE] * texts
    for number, group in enumerate(groups):
        for member in group.members:
            labels[member] = number
    return labels


def _readable(stored: dict[str, Any]) -> Classifier | None:
    try:
        return from_json(stored) if stored else None
    except ValueError:
        return None  # a newer or a broken one: replaced by what is trained now
