"""Golden examples from recordings: an answer that users called right, or what they said it should have been."""

from collections import Counter
from collections.abc import Sequence

from evolver.examples import Example
from evolver.golden.values import Item
from policies.dialects import CHAT


def collect(examples: Sequence[Example], *, min_quality: float) -> tuple[list[Item], Counter[str]]:
    """(items in the order given, why the others were left out).

    Args:
        examples: Recorded requests.
        min_quality: 0..1. A correction by the user counts 1; an answer its explicit score, or its reward without one.
    """
    items, left_out = [], Counter[str]()
    for example in examples:
        item = _item(example)
        if isinstance(item, str):
            left_out[item] += 1
        elif item.quality < min_quality:
            left_out["below the quality asked for"] += 1
        else:
            items.append(item)
    return items, left_out


def _item(example: Example) -> Item | str:
    """The item, or why there is none."""
    messages = example.body.get("messages")
    if example.path != CHAT.path or not isinstance(messages, list):
        return "not a chat completion"
    right, quality = _right(example)
    if not right:
        return "no answer known to be right"
    turns = tuple(turn for turn in messages if isinstance(turn, dict))
    return Item(example.id, example.unit, example.at, turns, right, quality, "recorded")


def _right(example: Example) -> tuple[str, float]:
    if example.correction:
        return example.correction, 1.0
    if example.bad or example.failure is not None or (example.answer or {}).get("tool_calls"):
        return "", 0.0
    known = example.score if example.score is not None else example.reward
    return example.answer_text, 0.0 if known is None else known
