"""Building epochs off the request path. Compiled pieces are kept from one epoch to the next."""

from collections.abc import Callable, Mapping
from math import ceil
from random import Random, SystemRandom
from typing import Any

from config.policy import Policy, Regex
from config.settings import Settings
from gateway.embeddings.memories import Meaning, Shelf
from gateway.pipeline import arithmetic
from gateway.pipeline.arms import Parts
from gateway.pipeline.channels import Channels
from gateway.pipeline.epoch import Epoch, Target
from gateway.pipeline.intents import Intents
from gateway.pipeline.memories import PATIENCE_S, Memories, Memory
from gateway.pipeline.metrics import ArmCounters, Metrics
from gateway.pipeline.posteriors import Posteriors
from gateway.pipeline.routers import Routers
from gateway.pipeline.routes import Route
from gateway.pipeline.scene import Scene, Verdicts
from gateway.pipeline.snapshot import PolicySnapshot, Snapshot
from gateway.pipeline.targets import default_model, targets_of
from policies.dialects import dialect_of
from policies.genome import Genome
from policies.intents import Classifier
from policies.matching import Matcher
from policies.registry.port import Registry
from policies.registry.values import Role
from policies.render import ModelTarget, Renderer
from policies.resilience import BudgetRules, RetryBudget
from policies.salt import draw_salt
from policies.validators import Validators


class Builder:
    """Makes epochs for one worker."""

    def __init__(
        self,
        metrics: Metrics,
        key: bytes,
        memories: Memories,
        clock: Callable[[], float],
        shelf: Shelf | None = None,
        *,
        workers: int = 1,
    ) -> None:
        """`shelf`: where memories have their embeddings from; None: from nowhere. `workers` share what genes limit."""
        self._metrics = metrics
        self._key = key
        self._memories = memories
        self._shelf = shelf
        self._clock = clock  # of the loop
        self._workers = workers
        self._draw = Random(SystemRandom().getrandbits(64)).random  # noqa: S311 (samples, not secrets)
        self._budgets: dict[str, tuple[BudgetRules, RetryBudget]] = {}
        self._intents = Intents()
        self.routers = Routers()
        self._channels = Channels()
        self._number = 0
        self._renderers: dict[tuple[object, ...], Renderer] = {}
        self._validators: dict[tuple[object, ...], Validators] = {}

    async def prepare(
        self, registry: Registry, settings: Settings, snapshot: Snapshot, *, patience_s: float | None = PATIENCE_S
    ) -> None:
        """Load what `build` will ask for; memories that take longer than `patience_s` come by and by."""
        await arithmetic.ready(settings, snapshot)
        await self._memories.fetch(registry, settings.policies, snapshot, patience_s=patience_s)

    def build(
        self,
        settings: Settings,
        routes: Mapping[str, Route],
        snapshot: Snapshot,
        *,
        posteriors: Posteriors,
        verdicts: Verdicts,
        previous: Epoch | None,
        now: float,
    ) -> Epoch:
        """The next epoch.

        Raises:
            OperatorError: the settings name something that can't be compiled.
        """
        self._number += 1
        targets = targets_of(settings, routes)
        default = Target(next(iter(routes.values()), None))
        views = {}
        used: set[Renderer] = set()
        for name, policy in settings.policies.items():
            parts = Parts(
                self,
                name,
                policy,
                targets=targets,
                default=default,
                alias=default_model(settings, targets),
                comment_every_s=settings.gateway.comment_every_s,
                router=self.routers.of(name, settings.choices),
            )
            scene = Scene(parts, snapshot.policies.get(name, PolicySnapshot()))
            old = previous.policies.get(name) if previous is not None else None
            frozen = snapshot.frozen or name in verdicts.outages
            views[name] = scene.view(posteriors, verdicts, old, frozen=frozen)
            used |= scene.used
        self._intents.keep(settings.policies)
        self.routers.keep(settings.policies)
        self._channels.keep(settings.policies, routes.values())
        self._renderers = {key: renderer for key, renderer in self._renderers.items() if renderer in used}
        return Epoch(
            number=self._number,
            settings=settings,
            matcher=Matcher({name: (p.match.path, p.match.model) for name, p in settings.policies.items()}),
            paths=frozenset(p.match.path.encode() for p in settings.policies.values()),
            policies=views,
            targets=targets,
            fallback=default_model(settings, targets) or default,
            default_route=default.route,
            frozen=snapshot.frozen,
            created_at=now,
        )

    def renderer(self, genome: Genome, digest: str, target: ModelTarget | None, policy: Policy) -> Renderer:
        """A compiled renderer, the same one as long as it is in use."""
        where = (target.key, target.upstream, target.model, *sorted(target.params.items())) if target else None
        dialect, wins = dialect_of(policy.match.path), policy.client_wins
        key = (digest, where, wins, dialect.name)
        found = self._renderers.get(key)
        if found is None:
            found = self._renderers[key] = Renderer(genome, target, wins, dialect.vocabulary)
        return found

    def validators(self, policy: Policy) -> Validators:
        """The policy's checks, compiled once."""
        specs = tuple(("regex", spec.regex) if isinstance(spec, Regex) else spec for spec in policy.validators)
        found = self._validators.get(specs)
        if found is None:
            found = self._validators[specs] = Validators(specs)
        return found

    def memory(self, policy: Policy, genome: Genome) -> Memory | None:
        """The memory of an arm, where its genome asks for any. In mode `observe` nothing is held out of it.

        Raises:
            OperatorError: the memory file can't be read. NotFoundError: the snapshot that the genome names is not here.
        """
        genes = genome.memory
        library = self._memories.library(policy.memory_file, genes.snapshot) if genes.recalls else None
        if library is None:
            return None
        holdout = policy.memory_holdout if policy.mode != "observe" else 0.0
        meaning = Meaning(self._shelf, library) if self._shelf is not None and genes.embeds else None
        return Memory(library, genes, policy.memory_tokens, holdout, self._draw, meaning)

    def intents(self, policy: str, stored: Mapping[str, Any]) -> Classifier | None:
        """What tells a policy's intents apart; None where nothing has been learnt.

        Raises:
            ValueError: what is stored can't be read.
        """
        return self._intents.of(policy, stored)

    def salt(self, policy: str, salts: list[str]) -> bytes:
        """The draw's key: secret, and a new one whenever an experiment begins or ends."""
        return draw_salt(self._key, policy, salts)

    def retries(self, name: str, policy: Policy) -> RetryBudget:
        """What a policy may spend on retries; spent stays spent from one epoch to the next."""
        rules = policy.resilience.retry_budget
        known, budget = self._budgets.get(name, (None, None))
        if budget is None or known != rules:
            budget = RetryBudget(rules, self._clock())
            self._budgets[name] = (rules, budget)
        return budget

    def channel(self, policy: str, target: Target, limit: int) -> Target:
        """A target that so many calls of the policy may be with at a time: the same as long as its upstream is.

        Of several workers each has its part of the limit, rounded up: at most one call each above it.
        """
        return self._channels.of(policy, target, ceil(limit / self._workers))

    def counters(self, policy: str, role: Role) -> ArmCounters:
        """Where a role's arms count."""
        return self._metrics.of(policy, role)
