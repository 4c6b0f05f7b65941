"""Beta posteriors of every arm: this writer's own rewards, and the sum over all writers."""

from collections.abc import Iterable, Iterator

from policies.bandit import Posterior
from policies.registry.values import Totals

Key = tuple[str, str]  # (policy, content hash)

_BASELINE_MEMORY = 500.0  # rewards over which the common baseline forgets


class Posteriors:
    """One reward per unit, revised where feedback changes it.

    Rewards are taken relative to a running mean over all arms of the policy, so that drift common to them moves none.
    """

    def __init__(self, writer: str) -> None:
        self._writer = writer
        self._own: dict[Key, Posterior] = {}
        self._others: dict[Key, Posterior] = {}
        self._baseline: dict[str, tuple[float, float]] = {}  # policy -> (mean, weight)

    def add(self, policy: str, arm: str, reward: float) -> None:
        """The reward (0..1) of a unit's first answer."""
        key = (policy, arm)
        self._own[key] = self._own.get(key, _UNIFORM).update(reward, self._baseline_of(policy))
        mean, weight = self._baseline.get(policy, (0.5, 0.0))
        weight = min(weight + 1.0, _BASELINE_MEMORY)
        self._baseline[policy] = (mean + (reward - mean) / weight, weight)

    def revise(self, policy: str, arm: str, old: float | None, new: float | None) -> None:
        """Feedback has changed a reward that was added before."""
        key = (policy, arm)
        own = self._own.get(key, _UNIFORM)
        baseline = self._baseline_of(policy)
        if old is not None:
            centred = min(max(old - baseline + 0.5, 0.0), 1.0)
            own = Posterior(max(own.alpha - centred, 1.0), max(own.beta - (1.0 - centred), 1.0))
        self._own[key] = own.update(new, baseline) if new is not None else own

    def of(self, policy: str, arm: str) -> Posterior:
        """The posterior over all writers."""
        key = (policy, arm)
        return self._own.get(key, _UNIFORM).merge(self._others.get(key, _UNIFORM))

    def rows(self, now: float) -> Iterator[Totals]:
        """This writer's rows for the registry. The subject is `policy/content hash`; one intent, named ""."""
        for (policy, arm), own in self._own.items():
            mean, weight = self._baseline.get(policy, (0.5, 0.0))
            data = {"": [own.alpha, own.beta], "baseline": [mean, weight]}
            yield Totals("posterior", f"{policy}/{arm}", self._writer, 0, data, now, now)

    def take(self, rows: Iterable[Totals], *, own: bool = False) -> float:
        """Take over every writer's rows; with `own`, at start, this writer's too. Returns when those were written."""
        others: dict[Key, Posterior] = {}
        written = 0.0
        for row in rows:
            policy, _, arm = row.subject.partition("/")
            alpha, beta = row.data.get("", (1.0, 1.0))
            posterior = Posterior(max(alpha, 1.0), max(beta, 1.0))
            if row.writer != self._writer:
                others[policy, arm] = others.get((policy, arm), _UNIFORM).merge(posterior)
            elif own:
                self._own[policy, arm] = posterior
                mean, weight = row.data.get("baseline", (0.5, 0.0))
                self._baseline[policy] = (mean, weight)
                written = max(written, row.updated_at)
        self._others = others
        return written

    def _baseline_of(self, policy: str) -> float:
        """One half until there are enough rewards for a mean."""
        mean, weight = self._baseline.get(policy, (0.5, 0.0))
        return mean if weight >= 20.0 else 0.5


_UNIFORM = Posterior()
