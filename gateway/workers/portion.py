"""What one of several workers may use of what the whole gateway may."""

from math import ceil
from typing import Any

from config.policy import Policy
from config.settings import Settings
from config.upstreams import Upstream
from policies.resilience import BudgetRules


def portion(settings: Settings, count: int) -> Settings:
    """Limits on providers, clients, retries and money divided by the workers; each keeps at least one of a kind."""
    gateway = settings.gateway
    limits = gateway.limits.model_copy(update={"connections": ceil(gateway.limits.connections / count)})
    shared = gateway.model_copy(
        update={"limits": limits, "mirror_concurrency": ceil(gateway.mirror_concurrency / count)}
    )
    upstreams = {name: _upstream(upstream, count) for name, upstream in settings.upstreams.items()}
    policies = {name: _policy(policy, count) for name, policy in settings.policies.items()}
    return settings.model_copy(update={"gateway": shared, "upstreams": upstreams, "policies": policies})


def _upstream(upstream: Upstream, count: int) -> Upstream:
    update: dict[str, Any] = {
        "max_connections": ceil(upstream.max_connections / count),
        "queue": ceil(upstream.queue / count),
    }
    if upstream.max_concurrency is not None:
        update["max_concurrency"] = ceil(upstream.max_concurrency / count)
    return upstream.model_copy(update=update)


def _policy(policy: Policy, count: int) -> Policy:
    shadow = policy.shadow
    update = {"usd_per_day": shadow.usd_per_day / count, "concurrency": ceil(shadow.concurrency / count)}
    resilience = policy.resilience
    budget = _budget(resilience.retry_budget, count)
    return policy.model_copy(
        update={
            "shadow": shadow.model_copy(update=update),
            "resilience": resilience.model_copy(update={"retry_budget": budget}),
        }
    )


def _budget(rules: BudgetRules, count: int) -> BudgetRules:
    """What requests pay in is divided already: a worker's own requests pay into its own budget."""
    return rules.model_copy(update={"per_s": rules.per_s / count, "burst": max(1.0, rules.burst / count)})
