"""canary -> promoted on evidence, inconclusive at the horizon.

Units enter in the order of assignment, each as it stood at its deadline: reward and feedback are frozen there. The
test needs superiority in reward and non-inferiority in quality, failures, latency and cost at once (policies.evidence),
and holds the smallest of the five e-values against e-LOND's threshold for this candidate's place in the stream.
"""

from dataclasses import dataclass
from typing import Any

from config.policy import Policy
from evolver.context import QUIET, Context, short
from evolver.outages import Outages
from evolver.replay import gates_of, weights_of
from evolver.rollback import roll_back
from evolver.sides import sides_of
from evolver.stations.base import Move, wait
from evolver.stations.deploy import deploy
from evolver.stations.rest import gave_way
from evolver.stations.turns import ENOUGH
from evolver.store import Unit
from evolver.suspension import upstream_at_fault
from policies.evidence import PromotionTest, threshold
from policies.evidence.returns import alpha_of, tries_of
from policies.factorial import Sides, propensity
from policies.fitness import Gates, Weights, reward
from policies.registry.operations import production_of
from policies.registry.values import Candidate, Experiment, Version
from policies.verification.elond import promotions_before

BATCH = 2_000
ALPHA = 0.05  # of the intervals: those shown, and the one that ends a comparison which can no longer be won
HOPELESS = 0.3  # an e-value for a gain below which a waiting candidate takes over
STORE_EVERY_S = 5.0  # progress is written to the registry no more often: each write makes every gateway look


@dataclass(slots=True)
class Trial:
    """A running experiment as far as it has been read."""

    experiment: Experiment
    test: PromotionTest
    sides: Sides  # the arms without and with the candidate
    budgets: tuple[float, float]  # p95 in milliseconds, US dollars a request
    weights: Weights
    after: tuple[float, str]  # (time, id) of the last unit read
    excluded: int = 0
    stored_at: float = 0.0


class Promotion:
    """Keeps one running test per experiment; rebuilt from the recordings after a restart."""

    def __init__(self) -> None:
        self._trials: dict[str, Trial] = {}
        self._outages = Outages()

    async def step(self, candidate: Candidate, context: Context) -> Move | None:
        """Read the newly settled units, then decide."""
        policy = context.policy(candidate.policy)
        running = await context.registry.experiments(candidate.policy, running=True)
        experiment = next((e for e in running if e.candidate == candidate.id), None)
        if candidate.stations.get("canary", {}).get("suspended"):
            return None
        if policy is None or experiment is None:
            return wait(candidate, "waits: its experiment is not running")
        production, _ = await production_of(context.registry, candidate.policy)
        if production.label != experiment.control:
            return await _superseded(candidate, experiment, production, context)
        trial = self._trials.get(experiment.id)
        if trial is None:
            trial = self._trials[experiment.id] = await _begin(candidate, experiment, policy, context)
        await self._read(candidate, trial, policy, context)
        move = await self._decide(candidate, trial, policy, context)
        if move is not None and move.event is not None:
            self._trials.pop(experiment.id, None)
        return move

    async def _read(self, candidate: Candidate, trial: Trial, policy: Policy, context: Context) -> None:
        deadline_s = policy.breaker.deadline_s
        units = await context.store.units(
            trial.experiment.policy,
            deadline_s=deadline_s,
            until=context.now - deadline_s,
            after=trial.after,
            limit=BATCH,
        )
        gates, trial.sides = gates_of(policy), await sides_of(candidate, trial.experiment, context)
        for unit in units:
            trial.after = (unit.at, unit.id)
            values = values_of(unit, trial, gates)
            if values is None:
                trial.excluded += 1
            else:
                trial.test.add(**values)

    async def _decide(  # noqa: PLR0911 - one return for each way to end
        self, candidate: Candidate, trial: Trial, policy: Policy, context: Context
    ) -> Move | None:
        needed = await self._threshold(trial.experiment, policy, context)
        measured = measure(trial, needed, context.now)
        proven = trial.experiment.ordinal > 0 and trial.test.e_value >= needed
        suspected = candidate.id in context.suspects
        if not suspected and (proven or candidate.stations.get("promotion", {}).get("proven")):
            if context.quiet:
                rest = wait(candidate, QUIET)
                return rest and Move(None, rest.reason, "promotion", {**measured, "proven": True})
            return await self._promote(candidate, measured, policy, context)
        alpha = alpha_of(policy.breaker.alpha, tries_of(candidate.stations))
        if trial.test.intervals(alpha)["reward"].high < 0.0:
            return await self._harmful(candidate, trial, measured, context)
        over = await _over(candidate, trial, policy, context)
        if over:
            return await _end(trial, over, measured, context)
        if not suspected and await gave_way(candidate, trial.experiment, measured, policy, context):
            self._trials.pop(trial.experiment.id, None)
            return None
        if context.now - trial.stored_at < STORE_EVERY_S:
            return None
        trial.stored_at = context.now
        doubt = "; suspected of harm: promotion rests until the evidence clears it" if suspected else ""
        return Move(None, f"e-value {trial.test.e_value:.3g} of the {needed:.0f} needed{doubt}", "promotion", measured)

    async def _threshold(self, experiment: Experiment, policy: Policy, context: Context) -> float:
        if experiment.ordinal == 0:  # an operator's override is in no stream and is not promoted by itself
            return float("inf")
        past = await context.registry.experiments(experiment.policy)
        return threshold(experiment.ordinal, promotions_before(experiment, past), policy.promotion.fdr)

    async def _promote(
        self, candidate: Candidate, measured: dict[str, Any], policy: Policy, context: Context
    ) -> Move | None:
        """What is proven stays proven (Ville's inequality): a later dip of the e-value takes nothing back."""
        if context.mode(candidate.policy) == "observe":
            return wait(candidate, "proven, but the policy's mode is observe")
        if policy.mode == "approve" and "promotion" not in candidate.stations.get("approval", {}):
            reason = f"waits for `evogate approve {candidate.id}`: its promotion, which is proven"
            if candidate.reason == reason:
                return None
            detail = {"candidate": candidate.id, "step": "promotion", "evidence": measured}
            context.webhook.send("approval", candidate.policy, context.now, detail)
            return Move(None, reason, "promotion", {**measured, "proven": True})
        await deploy(candidate, measured, policy, context)
        return None

    async def _harmful(
        self, candidate: Candidate, trial: Trial, measured: dict[str, Any], context: Context
    ) -> Move | None:
        """Proven worse in reward, which the breaker's failures need not show."""
        experiment = trial.experiment.id
        if await upstream_at_fault(candidate, trial.experiment, self._outages, context) is not None:
            return wait(candidate, "waits to be suspended: its upstream was at fault during the comparison")
        self._trials.pop(experiment, None)
        await context.registry.close_experiment(experiment, "ROLL BACK", measured, now=context.now)
        reward = trial.test.estimates()["reward"]
        summary = f"{candidate.id} is rolled back: its reward is proven lower than production's, by about {-reward:.2f}"
        await roll_back(
            candidate, context, kind="TRIP", experiment=experiment, summary=summary, evidence={"promotion": measured}
        )
        return None

    def progress(self, experiment: str) -> dict[str, Any]:
        """What is measured so far, for the screens."""
        trial = self._trials.get(experiment)
        return measure(trial, None, trial.after[0]) if trial else {}


async def _over(candidate: Candidate, trial: Trial, policy: Policy, context: Context) -> str:
    """Why it ends without a verdict, or nothing. That costs no guarantee: evidence may be left at any time."""
    lasted_s = context.now - trial.experiment.started_at
    if lasted_s >= policy.promotion.horizon_s:
        return "the horizon ended without proof"
    if trial.experiment.ordinal == 0:  # an operator wanted to see it
        return ""
    spans = trial.test.intervals(ALPHA)
    if spans["reward"].high < policy.promotion.min_gain:
        return "a sufficient gain is ruled out"
    if spans["quality"].high < -policy.promotion.non_inferiority.quality:
        return "its answers are worse than `promotion.non_inferiority.quality` allows, whatever they save"
    hopeful = trial.test.e_value >= HOPELESS or min(trial.test.units) < ENOUGH
    if not hopeful and lasted_s >= policy.promotion.horizon_s / 10:
        live = await context.registry.candidates(candidate.policy, live=True)
        if any(other.state == "judged" for other in live):
            return "no proof in sight, and another candidate waits"
    return ""


async def _superseded(
    candidate: Candidate, experiment: Experiment, production: Version, context: Context
) -> Move | None:
    """Production has changed under the experiment: to this candidate (a cut-off deployment), or to something else."""
    if production.evidence.get("candidate") == candidate.id:
        policy = context.policy(candidate.policy)
        assert policy is not None
        await deploy(candidate, production.evidence, policy, context)
        return None
    await context.registry.close_experiment(experiment.id, "INCONCLUSIVE", {}, now=context.now)
    return Move("expire", f"inconclusive: {production.label} came into production during the comparison")


async def _begin(candidate: Candidate, experiment: Experiment, policy: Policy, context: Context) -> Trial:
    frozen = candidate.stations.get("canary", {})
    budgets = frozen.get("budgets", policy.budgets.model_dump())
    margins = policy.promotion.non_inferiority
    return Trial(
        experiment=experiment,
        test=PromotionTest(
            min_gain=policy.promotion.min_gain,
            quality=margins.quality,
            failure=margins.failure,
            latency=margins.latency,
            cost=margins.cost,
        ),
        sides=await sides_of(candidate, experiment, context),
        budgets=(budgets["p95_ms"], budgets["usd_per_request"]),
        after=(experiment.started_at, ""),
        weights=Weights(**frozen["weights"]) if "weights" in frozen else weights_of(policy),
    )


def values_of(unit: Unit, trial: Trial, gates: Gates) -> dict[str, Any] | None:
    """What one unit adds to the test; None where it says nothing (another arm, a hang-up, a rate limit)."""
    q = propensity(dict(unit.arms), trial.sides)
    if q is None or not any(unit.arm in side for side in trial.sides):
        return None
    failure = "transport" if unit.missing else unit.failure
    worth = reward(
        failure=failure,
        validators=unit.validators,
        score=unit.score,
        latency_ms=unit.latency_ms,
        output_tokens=unit.output_tokens,
        repairs=unit.repairs,
        cost_usd=unit.cost_usd,
        weights=trial.weights,
        gates=gates,
    )
    if worth is None:
        return None
    p95_ms, usd = trial.budgets
    return {
        "challenger": unit.arm in trial.sides[1],
        "q": q,
        "reward": worth.value,
        "quality": worth.parts["quality"],
        "failed": failure is not None,
        # Silence until the deadline is as slow as can be.
        "latency_share": 1.0 if unit.missing else min(unit.latency_ms / p95_ms, 1.0),
        "cost_share": min(unit.cost_usd / usd, 1.0),
        "intent": unit.intent,
    }


def measure(trial: Trial, needed: float | None, now: float) -> dict[str, Any]:
    """The test as it is stored and shown."""
    intervals = {name: short(span._asdict()) for name, span in trial.test.intervals(ALPHA).items()}
    values = short({"e_value": trial.test.e_value, "at": now})
    found = {
        **values,
        "e_values": short(trial.test.e_values),
        "estimates": short(trial.test.estimates()),
        "units": list(trial.test.units),
        "excluded": trial.excluded,
        "intervals": intervals,
    }
    if needed is not None and needed != float("inf"):
        found["threshold"] = round(needed, 3)
    return found


async def _end(trial: Trial, why: str, measured: dict[str, Any], context: Context) -> Move:
    await context.registry.close_experiment(trial.experiment.id, "INCONCLUSIVE", measured, now=context.now)
    return Move("expire", f"inconclusive, production stays: {why}", "promotion", measured)
