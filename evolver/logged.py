"""What the log says of a candidate already: the rewards of its content, where users were given it at known odds.

That happens where content returns: it was in canary on the version that has come back into production, it was held
back as a predecessor, or it was one combination of a factorial. Each unit of the log is weighted by what the candidate
would have done over what was drawn (policies.offpolicy); a prompt that nobody was ever given has no overlap with the
log, and gets no number but the reason why.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from evolver.context import Context, short
from evolver.store import Unit
from policies.evidence.comparison import Prediction
from policies.offpolicy import Logged, OffPolicy, estimate

UNITS = 20_000  # newest ones that are looked at
_BATCH = 2_000
LOOK_BACK_S = 30 * 86_400.0


async def from_the_log(policy: str, content: str, production: str, context: Context) -> dict[str, Any]:
    """The candidate's estimates beside production's on the same units, JSON-able; `gain` is None where there are none.

    `content` and `production` are content hashes.
    """
    settings = context.policy(policy)
    deadline_s = settings.breaker.deadline_s if settings is not None else 0.0
    units: list[Unit] = []
    after = (context.now - LOOK_BACK_S, "")
    while len(units) < UNITS:
        batch = await context.store.units(
            policy, deadline_s=deadline_s, until=context.now - deadline_s, after=after, limit=_BATCH
        )
        units += batch
        if len(batch) < _BATCH:
            break
        after = (batch[-1].at, batch[-1].id)
    return compared(units, content, production)


def compared(units: Iterable[Unit], content: str, production: str) -> dict[str, Any]:
    """Both estimated on the units that could have been given either."""
    shared = [u for u in units if {content, production} <= dict(u.arms).keys() and u.reward is not None]
    theirs, ours = (estimate(_logged(shared, arm)) for arm in (content, production))
    gain = None
    if theirs.snips is not None and ours.snips is not None:
        gain = theirs.snips.value - ours.snips.value
    return {"gain": gain, "candidate": _shown(theirs), "production": _shown(ours)}


def _logged(units: Sequence[Unit], arm: str) -> list[Logged]:
    """As a policy that always takes `arm`; predictions are the running mean by intent, learnt before each unit."""
    prediction, found = Prediction(), []
    for unit in units:
        assert unit.reward is not None, "units without a reward are left out before"
        m = prediction.of(unit.intent)
        propensity = dict(unit.arms)[unit.arm]
        found.append(Logged(propensity, float(unit.arm == arm), unit.reward, predicted=m, expected=m))
        prediction.add(unit.reward, unit.intent)
    return found


def _shown(found: OffPolicy) -> dict[str, Any]:
    basis = short({"units": found.units, "effective": found.effective, "mean_weight": found.mean_weight})
    if found.refused:
        return {**basis, "refused": found.refused}
    estimates = {"ips": found.ips, "snips": found.snips, "doubly_robust": found.doubly_robust}
    return basis | {
        name: short({"value": each.value, "low": each.interval[0], "high": each.interval[1]})
        for name, each in estimates.items()
        if each is not None
    }
