"""Replay: what a genome would answer to recorded requests, measured as the gateway measures its own answers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from config.policy import Policy
from config.settings import Settings
from evolver.agreement import agreement
from evolver.examples import Example
from evolver.meaning import Embeddings
from evolver.provider import Completion, Provider, model_key_of, target
from evolver.serving import Serving
from policies.fitness import Gates, Weights, resolve, reward
from policies.genome import Genome, StrategyLayer
from policies.memory import Entry, Library, Near
from policies.outcome import Observed, classify
from policies.render import Renderer
from policies.strategy.checking import Checks, always
from policies.strategy.choice import kind_of
from policies.strategy.router import AUTO, BYTES_A_TOKEN, Router, weights_of_terms
from policies.validators import Validators

Remind = Callable[[Genome], Awaitable[Library]]
Guide = Callable[[], Awaitable[Router | None]]
JSON = dict[str, Any]
Renderers = dict[tuple[str, str | None, str], Renderer]  # by genome, model key and dialect
_BARE = Genome()  # of questions about answers
_NO_MEMORY = Library(())
_ATTACHED = Completion(0, None, None, 0.0, 0.0, "the request belongs to a conversation that the provider keeps")


@dataclass(frozen=True, slots=True)
class Replayed:
    """One recorded request answered afresh."""

    id: str
    measured: bool  # False where the upstream was down: nothing is known then
    failure: str | None
    reward: float | None  # 0..1; None where the failure says nothing about the genome
    quality: float | None  # the part of the reward that is not cost
    validators: dict[str, float]
    latency_ms: float
    cost_usd: float
    completion: Completion


def weights_of(policy: Policy) -> Weights:
    """The policy's reward weights with every `auto` resolved against its budgets."""
    weights = policy.reward.weights
    return resolve(
        latency=weights.latency,
        tokens=weights.tokens,
        repairs=weights.repairs,
        cost=weights.cost,
        p95_ms=policy.budgets.p95_ms,
        usd=policy.budgets.usd_per_request,
    )


def gates_of(policy: Policy) -> Gates:
    """The least values of validators, as fitness takes them."""
    return Gates(validator_score=policy.reward.gates.validator_score, accuracy=policy.reward.gates.accuracy)


def validators_of(policy: Policy) -> Validators:
    """The policy's validators, compiled."""
    return Validators([v if isinstance(v, str) else ("regex", v.regex) for v in policy.validators])


async def _unguided() -> Router | None:
    return None


async def _forgetful(_: Genome) -> Library:
    return _NO_MEMORY


class Replay:
    """Renders genomes into recorded requests of one policy and measures the answers.

    `remind` gives the memory that a genome retrieves from; without it nothing is retrieved. `guide` gives the router
    that knows what the gateway's know; without it one that knows only what is configured.
    """

    def __init__(
        self,
        settings: Settings,
        policy: Policy,
        provider: Provider,
        remind: Remind = _forgetful,
        guide: Guide = _unguided,
        *,
        embeddings: Embeddings | None = None,
    ) -> None:
        self._remind = remind
        self._guide = guide
        self._embeddings = embeddings or Embeddings(provider)
        self._router: Router | None = None
        self._settings = settings
        self._policy = policy
        self._provider = provider
        self._validators = validators_of(policy)
        self._weights = weights_of(policy)
        self._gates = gates_of(policy)
        self._checks = Checks(self._validators, always(policy.validators), self._gates.validator_score)

    async def run(self, genome: Genome, examples: Sequence[Example]) -> list[Replayed]:
        """One answer for each example, in their order.

        Raises:
            NotFoundError: the genome's memory is gone.
        """
        renderers: Renderers = {}
        memory = await self.memory(genome)
        if genome.strategy.model_key == AUTO:
            self._router = await self._guide() or Router(self._settings.choices)
        near: dict[str, Near] = {}
        if genome.memory.embeds:
            near = await self._embeddings.near(memory, [example.request_text for example in examples])
        found = (self._one(genome, example, renderers, memory, near.get(example.request_text)) for example in examples)
        return list(await asyncio.gather(*found))

    async def memory(self, genome: Genome) -> Library:
        """What the genome retrieves from.

        Raises:
            NotFoundError: it is gone.
        """
        return await self._remind(genome) if genome.memory.recalls else _NO_MEMORY

    def render(self, genome: Genome, example: Example, renderers: Renderers, memory: Library | None = None) -> bytes:
        """What would go up for a recorded request, never streamed and never stored, with what its words bring up."""
        key = self._own_key(genome, example)
        body = example.dialect.detached(example.body) or example.body
        return self._rendered(genome, example, body, key, renderers, self._recalled(genome, example, memory))

    def _own_key(self, genome: Genome, example: Example) -> str | None:
        """Who serves a request: the model for its intent, the router's choice, or the one that it names."""
        genes = genome.strategy
        preferred = next((pair.model for pair in genes.intent_models if pair.intent == example.intent), None)
        if preferred is not None:
            return preferred
        if genes.model_key == AUTO and self._router is not None and self._router.choices:
            return self._routed(self._router, genes, example)
        return model_key_of(self._settings, genome, example.body)

    def _routed(self, router: Router, genes: StrategyLayer, example: Example) -> str:
        tokens = len(orjson.dumps(example.body)) // BYTES_A_TOKEN
        tools = bool(example.body.get("tools") or example.body.get("functions"))
        fitting = [at for at, choice in enumerate(router.choices) if choice.fits(tokens, tools=tools)]
        everyone = range(len(router.choices))
        return router.route(example.request_text, tokens, fitting or everyone, weights_of_terms(genes)).key

    def _rendered(  # noqa: PLR0917
        self, genome: Genome, example: Example, body: JSON, key: str | None, renderers: Renderers, entries: list[Entry]
    ) -> bytes:
        dialect, digest = example.dialect, genome.content_hash
        renderer = renderers.get((digest, key, dialect.name))
        if renderer is None:
            wanted = target(self._settings, key) if key is not None else None
            renderer = Renderer(genome, wanted, self._policy.client_wins, dialect.vocabulary)
            renderers[digest, key, dialect.name] = renderer
        return renderer.render(body, entries)

    def _recalled(
        self, genome: Genome, example: Example, memory: Library | None, near: Near | None = None
    ) -> list[Entry]:
        if memory is None or not genome.memory.recalls:
            return []
        tokens, query = self._policy.memory_tokens, example.request_text
        found = memory.recall(genome.memory, query, token_budget=tokens, namespace=example.tenant, near=near)
        return [entry for entry, _ in found]

    async def _one(
        self, genome: Genome, example: Example, renderers: Renderers, memory: Library, near: Near | None
    ) -> Replayed:
        body = example.dialect.detached(example.body)
        own, entries = self._own_key(genome, example), self._recalled(genome, example, memory, near)
        rendered = self._rendered(genome, example, body or example.body, own, renderers, entries)
        if body is None:
            return self._measure(example, rendered, _ATTACHED)

        async def send(key: str | None, body: JSON, bare: bool) -> Completion:
            key, applied, recalled = (key or own, _BARE, []) if bare else (key or own, genome, entries)
            wanted = self._rendered(applied, example, body, key, renderers, recalled)
            return await self._provider.send(wanted, key, example.path)

        if kind_of(genome.strategy) == "plain":
            return self._measure(example, rendered, await self._provider.send(rendered, own, example.path))
        serving = Serving(genome.strategy, example.dialect, body, self._checks, send, self._embeddings)
        return self._measure(example, rendered, await serving.run(), serving.repairs)

    def _measure(self, example: Example, rendered: bytes, completion: Completion, repairs: int = 0) -> Replayed:
        answer = completion.answer
        valid = self._validators.run(orjson.loads(rendered), answer) if answer is not None else {}
        budgets = self._policy.budgets
        observed = Observed(
            status=completion.status,
            transport_error=completion.error if completion.status == 0 else None,
            answer=answer,
            latency_ms=completion.latency_ms,
            cost_usd=completion.cost_usd,
            validators=valid,
        )
        failure, _ = classify(observed, p95_ms=budgets.p95_ms, usd_per_request=budgets.usd_per_request)
        worth = reward(
            failure=failure,
            validators=valid,
            score=agreement(example, answer) if answer is not None else None,
            latency_ms=completion.latency_ms,
            output_tokens=answer.output_tokens if answer else 0,
            repairs=repairs,
            cost_usd=completion.cost_usd,
            weights=self._weights,
            gates=self._gates,
        )
        return Replayed(
            id=example.id,
            measured=not completion.down,
            failure=str(failure) if failure else None,
            reward=worth.value if worth else None,
            quality=worth.parts["quality"] if worth else None,
            validators=valid,
            latency_ms=completion.latency_ms,
            cost_usd=completion.cost_usd,
            completion=completion,
        )
