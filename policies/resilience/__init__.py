"""What to do when an upstream fails: pure decisions, whose effects the gateway carries out."""

from policies.resilience.attempts import Attempts, Fallback, GiveUp, Next, Retry, Sent
from policies.resilience.health import Health, Permit, State, Unwell
from policies.resilience.limiter import Admitted, Full, Limiter, Queued
from policies.resilience.places import preference
from policies.resilience.rescue import Rescue
from policies.resilience.retry_after import status_trouble
from policies.resilience.retry_budget import RetryBudget
from policies.resilience.rules import BudgetRules, HealthRules, ResilienceRules, TimeoutRules
from policies.resilience.troubles import Counts, Trouble, inside, row_of

__all__ = [
    "Admitted",
    "Attempts",
    "BudgetRules",
    "Counts",
    "Fallback",
    "Full",
    "GiveUp",
    "Health",
    "HealthRules",
    "Limiter",
    "Next",
    "Permit",
    "Queued",
    "Rescue",
    "ResilienceRules",
    "Retry",
    "RetryBudget",
    "Sent",
    "State",
    "TimeoutRules",
    "Trouble",
    "Unwell",
    "inside",
    "preference",
    "row_of",
    "status_trouble",
]
