"""From a genome to an arm that is ready to serve."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from config.policy import Policy
from gateway.pipeline.epoch import Arm, Open, Service, Target, Way
from gateway.pipeline.memories import Memory
from gateway.pipeline.metrics import ArmCounters
from policies.errors import NotFoundError, OperatorError
from policies.genome import Genome
from policies.intents import Classifier
from policies.registry.values import Role
from policies.render import ModelTarget, Renderer
from policies.resilience import RetryBudget, TimeoutRules
from policies.strategy.choice import answering, kind_of, verifying
from policies.strategy.limits import limited
from policies.strategy.router import AUTO, Router, weights_of_terms
from policies.validators import Validators

_BARE = Genome()  # of questions about answers


class Workshop(Protocol):
    """Compiled pieces, kept from one epoch to the next."""

    def renderer(self, genome: Genome, digest: str, target: ModelTarget | None, policy: Policy) -> Renderer:
        """A compiled renderer."""

    def validators(self, policy: Policy) -> Validators:
        """The policy's checks."""

    def memory(self, policy: Policy, genome: Genome) -> Memory | None:
        """What an arm may be reminded of."""

    def intents(self, policy: str, stored: Mapping[str, Any]) -> Classifier | None:
        """What tells a policy's intents apart."""

    def salt(self, policy: str, salts: list[str]) -> bytes:
        """The draw's key."""

    def retries(self, name: str, policy: Policy) -> RetryBudget:
        """What a policy may spend on retries."""

    def channel(self, policy: str, target: Target, limit: int) -> Target:
        """A target that so many calls of the policy may be with at a time."""

    def counters(self, policy: str, role: Role) -> ArmCounters:
        """Where a role's arms count."""


class Parts:
    """Makes the arms of one policy."""

    def __init__(
        self,
        workshop: Workshop,
        name: str,
        policy: Policy,
        *,
        targets: Mapping[str, Target],
        default: Target,
        alias: Target | None,
        comment_every_s: float,
        router: Router | None = None,
    ) -> None:
        self.workshop = workshop
        self.name = name
        self.policy = policy
        self._targets = targets
        self._default = default
        self._alias = alias  # what the policy's name stands for as a model
        self._comment_every_s = comment_every_s
        self.router = router
        self.problems: list[str] = []
        self.used: set[Renderer] = set()

    def arm(self, genome: Genome, role: Role, label: str, candidate: str | None) -> Arm | None:
        """An arm, or None (and a problem for the operator) where it can't be served."""
        digest = genome.content_hash
        try:
            default, by_model = self._ways(genome, digest)
            service = self._service(genome, digest)
            opened = self._open(genome, digest)
        except OperatorError as error:
            self._left_out(role, candidate or label, error)
            return None
        try:
            memory = self.workshop.memory(self.policy, genome)
        except NotFoundError as error:
            self._left_out(role, candidate or label, error)
            return None
        rules = limited(genome.strategy, self.policy.resilience)
        return Arm(
            hash=digest,
            role=role,
            version=label,
            candidate=candidate,
            genome=genome,
            default=default,
            by_model=by_model,
            fallbacks=tuple(self._fallbacks(genome, digest)),
            memory=memory,
            counters=self.workshop.counters(self.name, role),
            rules=rules,
            timeouts=rules.timeouts if rules.timeouts != TimeoutRules() else None,
            service=service,
            open=opened,
        )

    def _left_out(self, role: Role, name: str, why: Exception) -> None:
        self.problems.append(f"{role} {name}: {why}")
        self.workshop.counters(self.name, role).left_out += 1

    def _open(self, genome: Genome, digest: str) -> Open | None:
        """What may be chosen: models that have a `capability` by the router, others for intents."""
        genes = genome.strategy
        router = self.router if genes.model_key == AUTO else None
        if router is None and not genes.intent_models:
            return None
        choices = router.choices if router is not None else ()
        return Open(
            router=router,
            ways=tuple(self._way(genome, digest, self._named(choice.key)) for choice in choices),
            weights=weights_of_terms(genes),
            preferred={pair.intent: self._way(genome, digest, self._named(pair.model)) for pair in genes.intent_models},
        )

    def _service(self, genome: Genome, digest: str) -> Service | None:
        if kind_of(genome.strategy) == "plain":
            return None
        genes = genome.strategy
        try:
            answerers = [key for _, key in answering(genes)]
        except ValueError as error:
            raise OperatorError(str(error)) from error
        ways = {key: self._way(genome, digest, self._named(key)) for key in answerers}
        bare = {key: self._way(_BARE, _BARE.content_hash, self._named(key)) for _, key in verifying(genes)}
        return Service(genes, ways, bare, self._comment_every_s)

    def _ways(self, genome: Genome, digest: str) -> tuple[Way, Mapping[str, Way]]:
        key = genome.strategy.model_key
        if key == AUTO and self.router is None:
            raise OperatorError("`model_key: auto` chooses among models with a `capability`; give one to two or more")
        if key is None or key == AUTO:
            ways = {name: self._way(genome, digest, target) for name, target in self._targets.items()}
            if self._alias is not None:
                ways[self.name] = self._way(genome, digest, self._alias)
            return self._way(genome, digest, self._default), ways
        return self._way(genome, digest, self._named(key)), {}

    def _named(self, key: str) -> Target:
        target = self._targets.get(key)
        if target is None:
            raise OperatorError(f"model '{key}' is not configured; add it under `models`")
        if target.route is not None and target.route is not self._default.route and target.route.authorization is None:
            raise OperatorError(
                f"upstream '{target.route.name}' of model '{key}' has no api_key, and clients' credentials are meant "
                "for another; give it one"
            )
        return target

    def _fallbacks(self, genome: Genome, digest: str) -> Iterator[Way]:
        for key in self.policy.resilience.fallbacks:
            yield self._way(genome, digest, self._targets[key])

    def _way(self, genome: Genome, digest: str, target: Target) -> Way:
        renderer = self.workshop.renderer(genome, digest, target.model, self.policy)
        self.used.add(renderer)
        limit = genome.strategy.max_in_flight
        return Way(renderer, target if limit is None else self.workshop.channel(self.name, target, limit))
