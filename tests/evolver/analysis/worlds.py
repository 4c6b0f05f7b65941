"""Synthetic recordings: four topics with words of their own, and whatever is planted."""

from collections.abc import Callable
from typing import Any

import numpy as np

from evolver.examples import Example

_WORDS = {
    "invoice": "invoice total vendor amount due date currency tax",
    "mood": "review feeling product love hate happy angry sentiment",
    "sums": "add subtract multiply numbers apples oranges remainder divide",
    "weather": "weather city forecast rain tomorrow temperature wind snow",
}
TOPICS = {name: line.split() for name, line in _WORDS.items()}
FILLER = [f"filler{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(400)]


def example(number: int, text: str = "hello", **changes: Any) -> Example:
    values: dict[str, Any] = {
        "id": f"e{number}",
        "at": float(number),
        "policy": "p",
        "unit": f"u{number}",
        "turn": 1,
        "arm": "a" * 32,
        "version": "v1.0",
        "intent": "",
        "model": "large",
        "stream": False,
        "body": {"messages": [{"role": "user", "content": text}]},
        "answer": {"text": "fine", "tool_calls": [], "finish_reason": "stop"},
        "latency_ms": 800.0,
        "cost_usd": 0.001,
    }
    return Example(**(values | changes))


def recordings(
    rng: np.random.Generator, n: int, plant: Callable[[int, str, np.random.Generator], dict[str, Any]]
) -> list[Example]:
    """`plant(number, topic, rng)` says what is special about each example."""
    made = []
    for number in range(n):
        topic = list(TOPICS)[int(rng.integers(len(TOPICS)))]
        text = " ".join([*rng.choice(TOPICS[topic], 6), *rng.choice(FILLER, 12)])
        usual = {"latency_ms": float(800 * np.exp(0.4 * rng.normal()))}
        made.append(example(number, text, **(usual | plant(number, topic, rng))))
    return made


def failing(rate: float) -> dict[str, float]:
    return dict.fromkeys(TOPICS, rate)


def fails(rates: dict[str, float], failure: str = "invalid_output") -> Callable[..., dict[str, Any]]:
    def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
        return {"failure": failure} if rng.random() < rates[topic] else {}

    return plant
