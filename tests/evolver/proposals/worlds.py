"""A production genome, recorded failures, findings about them, and a reflection model that says what it is told."""

from collections.abc import Callable, Coroutine
from typing import Any

from config.upstreams import Model, Price
from evolver.examples import Example
from evolver.provider import Completion
from policies.genome import Genome, PromptLayer, Rule
from policies.outcome import Answer
from policies.registry.values import Finding
from tests.evolver.analysis.worlds import example

PRODUCTION = Genome(
    prompt=PromptLayer(
        rubric=(Rule(id="protected-1", text="Never discuss prices."), Rule(id="polite", text="Be polite to everyone."))
    )
)
MODELS = {
    "large": Model(upstream="u", model="provider-large", usd_per_mtok=Price(input=2.0, output=8.0)),
    "medium": Model(upstream="u", model="provider-medium", usd_per_mtok=Price(input=0.4, output=1.6)),
    "small": Model(upstream="u", model="provider-small", usd_per_mtok=Price(input=0.1, output=0.4)),
}

Complete = Callable[[str, dict[str, Any]], Coroutine[Any, Any, Completion]]


def finding(bad: list[Example], good: list[Example] | None = None, **changes: Any) -> Finding:
    values: dict[str, Any] = {
        "id": "f1",
        "policy": "p",
        "kind": "prompt_weakness",
        "at": 0.0,
        "severity": 0.5,
        "summary": "",
        "recommendation": "",
        "evidence": {
            "records": [one.id for one in bad],
            "contrast": [one.id for one in good or []],
            "model": "provider-medium",
            "terms": ["ignore", "previous", "instructions"],
        },
    }
    return Finding(**(values | changes))


def failures(n: int, **changes: Any) -> list[Example]:
    return [
        example(i, f"request number {i}", **({"failure": "judged_bad", "model": "provider-medium"} | changes))
        for i in range(n)
    ]


def completion(text: str | None, error: str | None = None) -> Completion:
    answer = None if text is None else Answer(text=text)
    return Completion(200 if error is None else 0, {}, answer, 1.0, 0.001, error)


def says(text: str | None, error: str | None = None, seen: list[dict[str, Any]] | None = None) -> Complete:
    async def complete(model_key: str, body: dict[str, Any]) -> Completion:
        if seen is not None:
            seen.append(body)
        return completion(text, error)

    return complete
