"""What a genome says about times and retries, in place of what its policy says."""

from policies.genome import StrategyLayer
from policies.resilience import ResilienceRules


def limited(genes: StrategyLayer, rules: ResilienceRules) -> ResilienceRules:
    """The policy's rules with the genes that are set; the same object where none is."""
    times = {"total_s": genes.timeout_s, "first_byte_s": genes.first_byte_timeout_s}
    times = {name: value for name, value in times.items() if value is not None}
    changes = {} if genes.retries is None else {"retries": genes.retries}
    if not times and not changes:
        return rules
    return rules.model_copy(update={**changes, "timeouts": rules.timeouts.model_copy(update=times)})
