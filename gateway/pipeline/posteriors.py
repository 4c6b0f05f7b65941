"""Beta posteriors of every arm: this writer's own rewards, and the sum over all writers."""

from collections.abc import Iterable, Iterator, Sequence

from policies.bandit import Posterior
from policies.registry.values import Totals

Key = tuple[str, str]  # (policy, content hash)

_BASELINE_FROM = 20.0  # rewards
_BASELINE_MEMORY = 500.0  # rewards over which the common baseline forgets


class Posteriors:
    """One reward per unit, revised where feedback changes it.

    Rewards are taken relative to a running mean over all arms of the policy, so that drift common to them moves none.
    A writer's row is what it has added to the prior: revising what another writer has counted may take it below 1.
    """

    def __init__(self, writer: str) -> None:
        self._writer = writer
        self._own: dict[Key, list[float]] = {}  # alpha, beta: plain numbers, for the request path adds to them
        self._others: dict[Key, list[float]] = {}  # the other writers' sum
        self._exchanged: dict[Key, list[float]] = {}  # every writer's, as the registry had them
        self._baseline: dict[str, tuple[float, float]] = {}  # policy -> (mean, weight)

    def add(self, policy: str, arm: str, reward: float) -> None:
        """The reward (0..1) of a unit's first answer."""
        mean, weight = self._baseline.get(policy, (0.5, 0.0))
        self._shift(policy, arm, _centred(reward, mean, weight), 1.0)
        weight = min(weight + 1.0, _BASELINE_MEMORY)
        self._baseline[policy] = (mean + (reward - mean) / weight, weight)

    def revise(self, policy: str, arm: str, old: float | None, new: float | None) -> None:
        """Feedback has changed a reward that was added before."""
        mean, weight = self._baseline.get(policy, (0.5, 0.0))
        if old is not None:
            self._shift(policy, arm, _centred(old, mean, weight), -1.0)
        if new is not None:
            self._shift(policy, arm, _centred(new, mean, weight), 1.0)

    def of(self, policy: str, arm: str) -> Posterior:
        """The posterior over all writers, with everything that this one knows."""
        key = (policy, arm)
        return _posterior(self._own.get(key, _PRIOR), self._others.get(key, _PRIOR))

    def exchanged(self, policy: str, arm: str) -> Posterior:
        """The posterior as the registry had it: the same in every worker that has read the same rows."""
        return _posterior(self._exchanged.get((policy, arm), _PRIOR))

    def rows(self, now: float) -> Iterator[Totals]:
        """This writer's rows for the registry. The subject is `policy/content hash`; one intent, named ""."""
        for (policy, arm), own in self._own.items():
            mean, weight = self._baseline.get(policy, (0.5, 0.0))
            data = {"": list(own), "baseline": [mean, weight]}
            yield Totals("posterior", f"{policy}/{arm}", self._writer, 0, data, now, now)

    def take(self, rows: Iterable[Totals], *, own: bool = False) -> float:
        """Take over every writer's rows; with `own`, at start, this writer's too. Returns when those were written."""
        self._others, self._exchanged = {}, {}
        written = 0.0
        for row in sorted(rows, key=lambda row: row.writer):  # sums of floats depend on their order
            policy, _, arm = row.subject.partition("/")
            key, counts = (policy, arm), row.data.get("", _PRIOR)
            _add(self._exchanged, key, counts)
            if row.writer != self._writer:
                _add(self._others, key, counts)
            elif own:
                self._own[key] = list(counts)
                mean, weight = row.data.get("baseline", (0.5, 0.0))
                self._baseline[policy] = (mean, weight)
                written = max(written, row.updated_at)
        return written

    def _shift(self, policy: str, arm: str, success: float, sign: float) -> None:
        own = self._own.get((policy, arm))
        if own is None:
            own = self._own[policy, arm] = [1.0, 1.0]
        own[0] += sign * success
        own[1] += sign * (1.0 - success)


def _centred(reward: float, mean: float, weight: float) -> float:
    """As `Posterior.update` splits a reward; until there are enough for a mean, the baseline is one half."""
    return min(max(reward - mean + 0.5, 0.0), 1.0) if weight >= _BASELINE_FROM else reward


def _add(sums: dict[Key, list[float]], key: Key, counts: Sequence[float]) -> None:
    """Add one writer's counts, which begin with the prior, to a sum that does, too."""
    total = sums.setdefault(key, [1.0, 1.0])
    total[0] += counts[0] - 1.0
    total[1] += counts[1] - 1.0


def _posterior(*parts: Sequence[float]) -> Posterior:
    alpha, beta = (1.0 + sum(part[i] - 1.0 for part in parts) for i in (0, 1))
    return Posterior(max(alpha, 1.0), max(beta, 1.0))


_PRIOR = (1.0, 1.0)
