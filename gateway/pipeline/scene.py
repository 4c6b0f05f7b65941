"""One policy of the next epoch: who serves, at which odds, and what is compared with what."""

from dataclasses import dataclass, field, replace

from gateway.pipeline.arms import Parts
from gateway.pipeline.drawings import Drawings
from gateway.pipeline.epoch import Arm, PolicyView, Trial
from gateway.pipeline.posteriors import Posteriors
from gateway.pipeline.snapshot import PolicySnapshot
from policies.dialects import dialect_of
from policies.errors import OperatorError
from policies.evidence.returns import tries_of
from policies.factorial import Design
from policies.fitness import Gates, Weights, resolve
from policies.genome import MemoryLayer, StrategyLayer
from policies.intents import Classifier
from policies.render import Renderer
from policies.salt import salt_name
from policies.strategy.checking import Checks, always

_RESTING = 5  # older versions that conversations may still be pinned to


@dataclass(slots=True)
class Verdicts:
    """What this worker has found out by itself, ahead of the registry."""

    tripped: set[str] = field(default_factory=set)  # experiment ids
    suspects: set[str] = field(default_factory=set)  # experiment ids
    outages: set[str] = field(default_factory=set)  # policies whose provider is down: learning is frozen


class Scene:
    """One policy while its view is being made."""

    def __init__(self, parts: Parts, rows: PolicySnapshot) -> None:
        self._parts = parts
        self._workshop = parts.workshop
        self._name = parts.name
        self._policy = parts.policy
        self._rows = rows
        self._production = rows.production
        self.used: set[Renderer] = parts.used

    def view(
        self,
        posteriors: Posteriors,
        verdicts: Verdicts,
        old: PolicyView | None,
        *,
        frozen: bool,
    ) -> PolicyView:
        """The finished view."""
        trials = self._trials(verdicts)
        production = self._production_arm(verdicts)
        arms = {production.hash: production}
        challengers = self._challengers(trials, arms)
        design = self._design(challengers, arms)
        holdback = self._holdback(trials, arms)
        trials = [
            replace(trial, sides=design.sides(trial.subject)) if design and trial.subject in challengers else trial
            for trial in trials
            if trial.subject in arms and trial.control in arms
        ]
        drawings = Drawings(
            self._name,
            production.hash,
            challengers if design is None else [genome.content_hash for genome in design.arms.values()],
            holdback,
            design,
            trials,
            {trial.subject for trial in trials if trial.experiment in verdicts.suspects},
            self._policy.bandit,
            posteriors,
        )
        kept, intents = old if frozen else None, self._intents()
        drawing = drawings.overall(kept.drawing if kept else None)
        by_intent = (
            drawings.by_intent(kept.by_intent if kept else {}, kept.drawing if kept else None) if intents else {}
        )
        self._rest(arms)
        salts = [e.salt for e in self._rows.experiments] + ([self._rows.holdback.salt] if self._rows.holdback else [])
        salt = self._workshop.salt(self._name, salts)
        kind, _, header = self._policy.unit.partition(":")
        _, _, tenant = (self._policy.tenant or "").partition(":")
        weights = self._weights()
        gates = self._policy.reward.gates
        validators = self._workshop.validators(self._policy)
        checks = Checks(validators, always(self._policy.validators), gates.validator_score)
        return PolicyView(
            name=self._name,
            settings=self._policy,
            production=production,
            arms=arms,
            drawn=tuple(arms[arm] for arm in drawing.shares.arms),
            drawing=drawing,
            by_intent=by_intent,
            salt=salt,
            salt_name=salt_name(salt),
            experiments=tuple(found[0].experiment if found else None for found in drawing.entrances),
            trials=tuple(trials),
            subjects=frozenset(trial.subject for trial in trials),
            shadows=self._shadows(),
            retries=self._workshop.retries(self._name, self._policy),
            dialect=dialect_of(self._policy.match.path),
            validators=checks.validators,
            always_validates=checks.always,
            checks=checks,
            weights=weights,
            gates=Gates(gates.validator_score, gates.accuracy),
            intents=intents,
            unit_kind=kind,
            unit_header=header.lower().encode() if header else None,
            frozen=frozen,
            problems=tuple(self._parts.problems),
            router=self._parts.router,
            tenant_header=tenant.lower().encode() or None,
        )

    def _intents(self) -> Classifier | None:
        """None as well where what is stored can't be read: a request goes without an intent rather than unserved."""
        try:
            return self._workshop.intents(self._name, self._rows.intents)
        except ValueError as error:
            self._parts.problems.append(str(error))
            return None

    def _weights(self) -> Weights:
        wanted, budgets = self._policy.reward.weights, self._policy.budgets
        return resolve(
            latency=wanted.latency,
            tokens=wanted.tokens,
            repairs=wanted.repairs,
            cost=wanted.cost,
            p95_ms=budgets.p95_ms,
            usd=budgets.usd_per_request,
        )

    def _trials(self, verdicts: Verdicts) -> list[Trial]:
        """Running comparisons whose two arms may be served: canaries, an operator's override after them, the holdback.

        The first one is what production's assignment frames name; others follow from the odds on record.
        """
        production = self._production
        if production is None or self._policy.mode == "observe":
            return []
        control = production.genome.content_hash
        serving = {c.id: c for c in self._rows.candidates if c.state == "canary"}
        found = [
            Trial(
                e.id,
                e.candidate,
                serving[e.candidate].genome.content_hash,
                control,
                holdback=False,
                started_at=e.started_at,
                tries=tries_of(serving[e.candidate].stations),
            )
            for e in sorted(self._rows.experiments, key=lambda e: e.ordinal == 0)
            if e.candidate in serving and e.id not in verdicts.tripped
        ]
        holdback = self._rows.holdback
        older = self._rows.version(holdback.version) if holdback is not None else None
        if holdback is not None and older is not None and holdback.experiment not in verdicts.tripped:
            subject = next((c.id for c in self._rows.candidates if c.state == "promoted"), "")
            hash_ = older.genome.content_hash
            found.append(Trial(holdback.experiment, subject, control, hash_, holdback=True, started_at=holdback.since))
        return [trial for trial in found if trial.subject != trial.control]

    def _production_arm(self, verdicts: Verdicts) -> Arm:
        """Production; its predecessor where this worker has just taken it back."""
        version = self._production
        holdback = self._rows.holdback
        if holdback is not None and holdback.experiment in verdicts.tripped:
            version = self._rows.version(holdback.version) or version
        genome, label = (version.genome, version.label) if version is not None else (self._policy.genome, "v1.0")
        arm = self._parts.arm(genome, "production", label, None)
        if arm is not None:
            return arm
        # Its memory is gone, or a model: the prompt still applies, if need be to one call of the client's own model.
        unreminded = genome.model_copy(update={"memory": MemoryLayer()})
        genes = genome.strategy
        single = StrategyLayer(temperature=genes.temperature, top_p=genes.top_p, max_tokens=genes.max_tokens)
        own = single.model_copy(update={"model_key": genes.model_key})
        for plain in (unreminded, *(unreminded.model_copy(update={"strategy": kept}) for kept in (own, single))):
            arm = self._parts.arm(plain, "production", label, None)
            if arm is not None:
                return arm
        raise OperatorError(f"policies.{self._name}: {self._parts.problems[-1]}")

    def _challengers(self, trials: list[Trial], arms: dict[str, Arm]) -> list[str]:
        label = self._production.label if self._production is not None else "v1.0"
        by_id = {candidate.id: candidate for candidate in self._rows.candidates}
        found = []
        for trial in trials:
            candidate = by_id.get(trial.candidate)
            if trial.holdback or candidate is None or trial.subject in self._rows.tombstones or trial.subject in arms:
                continue
            arm = self._parts.arm(candidate.genome, "challenger", label, candidate.id)
            if arm is not None:
                arms[arm.hash] = arm
                found.append(arm.hash)
        return found

    def _design(self, challengers: list[str], arms: dict[str, Arm]) -> Design | None:
        """Where candidates of several layers are in canary: all combinations of them, as arms. None with one layer."""
        by_hash = {candidate.genome.content_hash: candidate for candidate in self._rows.candidates}
        chosen = [by_hash[arm] for arm in challengers]
        if self._production is None or len({candidate.layer for candidate in chosen}) < 2:
            return None
        design = Design.of(self._production.genome, [(candidate.layer, candidate.genome) for candidate in chosen])
        for cell, genome in design.arms.items():
            digest = genome.content_hash
            names = [by_hash[name].id for name in cell if name in by_hash]
            if digest not in arms:
                arm = self._parts.arm(genome, "challenger", self._production.label, "+".join(names))
                if arm is None:
                    return None  # `problems` says why; each candidate is then drawn by itself
                arms[digest] = arm
        return design

    def _holdback(self, trials: list[Trial], arms: dict[str, Arm]) -> tuple[str, float] | None:
        holdback = self._rows.holdback
        trial = next((trial for trial in trials if trial.holdback), None)
        older = self._rows.version(holdback.version) if holdback is not None else None
        if holdback is None or trial is None or older is None or trial.control in arms:
            return None
        arm = self._parts.arm(older.genome, "holdback", older.label, None)
        if arm is None:
            return None
        arms[arm.hash] = arm
        return arm.hash, holdback.share

    def _rest(self, arms: dict[str, Arm]) -> None:
        """Older versions stay for the conversations pinned to them, but for those that were taken back.

        Versions between production and an older one of the same content were undone by that restore.
        """
        production = self._production
        if production is None:
            return
        before = [version for version in self._rows.versions if version.number < production.number]
        same = [i for i, version in enumerate(before) if version.genome == production.genome]
        before = before[: same[-1]] if same else before
        for version in before[-_RESTING:]:
            digest = version.genome.content_hash
            if digest not in arms and digest not in self._rows.tombstones:
                arm = self._parts.arm(version.genome, "production", version.label, None)
                if arm is not None:
                    arms[digest] = arm

    def _shadows(self) -> tuple[Arm, ...]:
        label = self._production.label if self._production is not None else "v1.0"
        shadowed = (c for c in self._rows.candidates if c.state == "shadow")
        arms = (self._parts.arm(c.genome, "challenger", label, c.id) for c in shadowed)
        return tuple(arm for arm in arms if arm is not None)
