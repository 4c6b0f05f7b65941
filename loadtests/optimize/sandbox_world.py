"""The sandbox without its sockets: all genes, the application's own checks, a report on wordings held out."""

from collections.abc import Sequence
from itertools import islice
from random import Random

import orjson

from evolver.examples import Example
from evolver.proposals.templates import TEMPLATES
from evolver.proposals.values import AddRule
from evolver.search import Material, Score
from evolver.training import Answered
from gateway.sandbox.models import CHAT_MODELS
from gateway.sandbox.paraphrases import PARAPHRASES
from gateway.sandbox.provider import Completion, Provider
from gateway.sandbox.rules import HARMFUL_RULE
from gateway.sandbox.tasks import Task, tasks
from gateway.sandbox.worlds import World as Parameters
from loadtests.optimize.world import example_of
from policies.genome import Genome, Rule, StrategyLayer
from policies.render import ModelTarget, Renderer

EXAMPLES = 60
TRUTH = 300  # tasks that the report is made on
MODELS = ("large", "medium", "small")
FILLERS = (
    "Be helpful, accurate and professional.",
    "Think about what the user would want to hear.",
    "Take every detail of the request into account, and mention it.",
)


class SandboxWorld:
    """One world by its seed; the application asks the large model and says no more than what the feature is called."""

    def __init__(self, seed: int) -> None:
        parameters = Parameters(seed)
        self.hash = parameters.world_hash
        self.name = "sandbox"
        self.calls = 0
        self.base = Genome(strategy=StrategyLayer(model_key="large"))
        self.material = Material(model_keys=MODELS, rules=tuple(_rules(Random(seed))))
        self._provider = Provider(parameters, failure_scale=0.0)
        self._tasks = list(islice(tasks(Random(seed), parameters), EXAMPLES))
        self.examples: Sequence[Example] = [example_of(i, task.body("large")) for i, task in enumerate(self._tasks)]
        self._unseen = Parameters(seed, recognisers="all")

    async def evaluate(self, genome: Genome, examples: Sequence[Example]) -> list[Score]:
        return [answered.score for answered in await self.ask(genome, examples)]

    async def ask(self, genome: Genome, examples: Sequence[Example]) -> list[Answered]:
        self.calls += len(examples)
        renderer = _renderer(genome)
        return [_answered(self._provider, renderer, self._tasks[int(example.id[1:])]) for example in examples]

    def truth(self, genome: Genome) -> float:
        """On fresh tasks, read by all recognisers."""
        provider, renderer = Provider(self._unseen, failure_scale=0.0), _renderer(genome)
        fresh = islice(tasks(Random(f"report {self._unseen.seed}"), self._unseen), TRUTH)
        return sum(_answered(provider, renderer, task).score.quality for task in fresh) / TRUTH


def _rules(rng: Random) -> list[Rule]:
    """What proposers come up with: some of it right for this world, some the opposite, some harmful, some idle."""
    texts = [template.edit.text for template in TEMPLATES if isinstance(template.edit, AddRule)]
    texts += [rng.choice(paraphrases.phrasings) for paraphrases in PARAPHRASES.values()]
    rules = [Rule.model_validate(text) for text in (*texts, *FILLERS, HARMFUL_RULE)]
    rng.shuffle(rules)
    return rules


def _renderer(genome: Genome) -> Renderer:
    key = genome.strategy.model_key or MODELS[0]
    return Renderer(genome, ModelTarget(key=key, upstream="sandbox", model=f"sandbox-{key}", params={}))


def _answered(provider: Provider, renderer: Renderer, task: Task) -> Answered:
    asked = provider.understand(orjson.loads(renderer.render(task.body("large"))))
    completion = provider.complete(asked)
    said = completion.said[0]
    text = "".join(said.tokens)
    calls = [{"name": call.name, "arguments": call.arguments} for call in said.calls]
    quality = task.check(text, calls)
    return Answered(
        Score(quality, 1_000.0 * completion.delay_s, _usd(completion)), text, None if quality else "judged_bad"
    )


def _usd(completion: Completion) -> float:
    usage, price = completion.usage, CHAT_MODELS[completion.model].price
    assert usage is not None
    fresh = usage.prompt - usage.cached
    return (fresh * price.input + usage.cached * price.cached_input + usage.completion * price.output) / 1e6
