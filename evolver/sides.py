"""The arms that a canary holds against each other."""

from evolver.context import Context
from policies.factorial import Sides, compared
from policies.registry.operations import find_version
from policies.registry.values import Candidate, Experiment


async def sides_of(candidate: Candidate, experiment: Experiment, context: Context) -> Sides:
    """The arms without and with the candidate, see `policies.factorial`.

    Raises:
        NotFoundError: its control is no version.
    """
    policy = candidate.policy
    control = await find_version(context.registry, policy, experiment.control)
    experiments = await context.registry.experiments(policy)
    return compared(candidate, experiment, control.genome, experiments, await context.registry.candidates(policy))
