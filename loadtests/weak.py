"""Where the month and the improvement run begin: an expensive, slow and fragile genome with several weaknesses apart.

The largest model thinks at length about everything, tool calls lack arguments, answers are not in the form that the
application reads. No single change mends all of it: it takes rules, other words about tools, brevity, a cheaper model.
"""

from typing import Any

GENOME: dict[str, Any] = {
    "prompt": {
        "rubric": "You are a helpful assistant.",
        "cot": True,
        "verbosity": "thorough",
        "tool_instructions": "Leave out optional arguments of tools.",
    },
    "strategy": {"model_key": "large", "temperature": 1.0},
}
P95_MS = 120.0  # budgets: what takes or costs more is a failure, so there is room above what that genome takes
USD_PER_REQUEST = 0.002
AT_BUDGET = 0.5  # reward that an answer at its latency budget loses, and one at its cost: this operator cares for both


def weaken(policy: dict[str, Any], delay_scale: float) -> None:
    """Begin with that genome, under budgets of the order of what it takes.

    Args:
        policy: of a configuration, as JSON values; changed in place.
        delay_scale: of the sandbox's delays.
    """
    policy["genome"] = GENOME
    p95_ms = P95_MS * delay_scale
    policy["budgets"] = {"p95_ms": p95_ms, "usd_per_request": USD_PER_REQUEST}
    policy["bandit"] = {"production_share": 0.65}  # in a hurry: more of the traffic tells candidates apart
    policy["reward"] = {"weights": {"latency": AT_BUDGET / p95_ms, "cost": AT_BUDGET / USD_PER_REQUEST}}
