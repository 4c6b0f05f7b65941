"""The month's configuration: periods are scaled by the length of a day, thresholds never."""

from typing import Any

import yaml

from config import builtin
from loadtests.weak import weaken

DAY = 86_400.0
DELAY_SCALE = 2.0  # of the sandbox's answers, for the traffic and for the oracle: our own share is small beside them
LEAST_S = 0.25  # of a period: what runs more often only costs
DEADLINE_S = 3.0  # answers of the sandbox take as long as ever, however short the day is


def configuration(sandbox: str, day_s: float) -> dict[str, Any]:
    """As JSON values.

    Args:
        sandbox: the provider's base URL.
        day_s: how many seconds a day of the month lasts.
    """
    settings: dict[str, Any] = yaml.safe_load(builtin.path("demo").read_text(encoding="utf-8"))
    settings["upstreams"]["sandbox"]["base_url"] = sandbox

    def days(count: float) -> float:
        return max(LEAST_S, count * day_s)

    (policy,) = settings["policies"].values()
    weaken(policy, DELAY_SCALE)
    policy["breaker"] = {"window_s": days(3), "deadline_s": DEADLINE_S}
    policy["shadow"] = {"sample": 0.5, "horizon_s": days(3)}
    policy["promotion"] |= {"horizon_s": days(10)}
    evolver = settings["evolver"]
    evolver |= {"analyze_every_s": days(1), "evolve_every_s": days(3), "lease_s": max(1.0, days(0.1))}
    evolver["triggers"] = {"learnings": 100, "days": 62 * day_s / DAY, "check_every_s": days(1 / 24)}
    evolver["search"] = {"num_generations": 3, "usd_per_cycle": 1}
    settings["gateway"] |= {"idle_unit_s": days(3), "admin_port": 0}
    return settings
