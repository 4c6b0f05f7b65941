"""Beta posteriors of every arm: this writer's own rewards, and the sum over all writers."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from policies.bandit import Posterior
from policies.registry.values import Totals

Key = tuple[str, str, str]  # (policy, content hash, intent)

_POOLED: Final = 10.0  # rewards that an arm's overall mean counts as, where one intent of it is looked at
_INTENTS: Final = 64  # of an arm that are kept apart; further ones count for the overall posterior alone
_BASELINE_FROM: Final = 20.0  # rewards
_BASELINE_MEMORY: Final = 500.0  # rewards over which the common baseline forgets


class Posteriors:
    """One reward per unit, revised where feedback changes it.

    Rewards are taken relative to a running mean over all arms of the policy, so that drift common to them moves none;
    where intents are told apart, to that of the intent, so that an arm which is drawn for easy requests gains nothing.
    A writer's row is what it has added to the prior: revising what another writer has counted may take it below 1.
    """

    def __init__(self, writer: str) -> None:
        self._writer = writer
        self._own: dict[Key, list[float]] = {}  # alpha, beta: plain numbers, for the request path adds to them
        self._others: dict[Key, list[float]] = {}  # the other writers' sum
        self._exchanged: dict[Key, list[float]] = {}  # every writer's, as the registry had them
        self._baselines: dict[tuple[str, str], tuple[float, float]] = {}  # (policy, intent) -> (mean, weight)
        self.resting: frozenset[str] = frozenset()  # policies whose provider is down: nobody's rewards say anything
        self._intents: dict[tuple[str, str], set[str]] = {}  # (policy, arm) -> those that this writer keeps apart

    def add(self, policy: str, arm: str, reward: float, intent: str = "") -> None:
        """The reward (0..1) of a unit's first answer; not learnt from while the policy rests."""
        if policy in self.resting:
            return
        mean, weight = self._baseline(policy, intent)
        self._shift(policy, arm, intent, _centred(reward, mean, weight), 1.0)
        self._follow((policy, ""), reward)
        if intent and intent in self._intents.get((policy, arm), ()):
            self._follow((policy, intent), reward)

    def revise(self, policy: str, arm: str, old: float | None, new: float | None, intent: str = "") -> None:
        """Feedback has changed a reward that was added before, under the same intent."""
        mean, weight = self._baseline(policy, intent)
        if old is not None:
            self._shift(policy, arm, intent, _centred(old, mean, weight), -1.0)
        if new is not None:
            self._shift(policy, arm, intent, _centred(new, mean, weight), 1.0)

    def of(self, policy: str, arm: str, intent: str = "") -> Posterior:
        """The posterior over all writers, with everything that this one knows; of an intent, pooled with the overall.

        What is known of one intent is little at first: beside its own rewards the arm's overall mean counts as a few.
        The intent "" is the overall posterior itself.
        """
        return _pooled(intent, lambda i: self._known((policy, arm, i)))

    def exchanged(self, policy: str, arm: str, intent: str = "") -> Posterior:
        """The same as the registry had it: equal in every worker that has read the same rows."""
        return _pooled(intent, lambda i: _posterior(self._exchanged.get((policy, arm, i), _PRIOR)))

    def intents(self, policy: str, arms: Collection[str]) -> list[str]:
        """Those with rewards of their own on these arms, as the registry had them: those with most of them first."""
        weights: dict[str, float] = {}
        for (name, arm, intent), counts in self._exchanged.items():
            if intent and name == policy and arm in arms:
                weights[intent] = weights.get(intent, 0.0) + sum(counts) - sum(_PRIOR)
        return sorted(weights, key=lambda intent: (-weights[intent], intent))

    def _known(self, key: Key) -> Posterior:
        return _posterior(self._own.get(key, _PRIOR), self._others.get(key, _PRIOR))

    def rows(self, now: float) -> Iterator[Totals]:
        """This writer's rows for the registry. The subject is `policy/content hash`; the key "" is the overall sum."""
        for (policy, arm, intent), own in self._own.items():
            if intent:
                continue
            data: dict[str, Any] = {"": list(own), "baseline": list(self._baselines.get((policy, ""), _NO_BASELINE))}
            if kept := sorted(self._intents.get((policy, arm), ())):
                data["intents"] = {each: list(self._own[policy, arm, each]) for each in kept}
                data["baselines"] = {each: list(self._baselines[policy, each]) for each in kept}
            yield Totals("posterior", f"{policy}/{arm}", self._writer, 0, data, now, now)

    def take(self, rows: Iterable[Totals], *, own: bool = False) -> float:
        """Take over every writer's rows; with `own`, at start, this writer's too. Returns when those were written."""
        self._others, self._exchanged = {}, {}
        written = 0.0
        for row in sorted(rows, key=lambda row: row.writer):  # sums of floats depend on their order
            policy, _, arm = row.subject.partition("/")
            intents = row.data.get("intents", {})
            for intent, counts in {"": row.data.get("", _PRIOR), **intents}.items():
                key = (policy, arm, intent)
                _add(self._exchanged, key, counts)
                if row.writer != self._writer:
                    _add(self._others, key, counts)
                elif own:
                    self._own[key] = list(counts)
            if own and row.writer == self._writer:
                self._intents[policy, arm] = set(intents)
                means = {"": row.data.get("baseline", _NO_BASELINE), **row.data.get("baselines", {})}
                self._baselines |= {(policy, intent): (mean, weight) for intent, (mean, weight) in means.items()}
                written = max(written, row.updated_at)
        return written

    def _shift(self, policy: str, arm: str, intent: str, success: float, sign: float) -> None:
        self._move((policy, arm, ""), success, sign)
        if intent:
            kept = self._intents.setdefault((policy, arm), set())
            if intent in kept or len(kept) < _INTENTS:
                kept.add(intent)
                self._move((policy, arm, intent), success, sign)

    def _baseline(self, policy: str, intent: str) -> tuple[float, float]:
        """(mean, weight): an intent's own, once it has rewards enough, before that the policy's."""
        found = self._baselines.get((policy, intent), _NO_BASELINE)
        if intent and found[1] < _BASELINE_FROM:
            return self._baselines.get((policy, ""), _NO_BASELINE)
        return found

    def _follow(self, key: tuple[str, str], reward: float) -> None:
        mean, weight = self._baselines.get(key, _NO_BASELINE)
        weight = min(weight + 1.0, _BASELINE_MEMORY)
        self._baselines[key] = (mean + (reward - mean) / weight, weight)

    def _move(self, key: Key, success: float, sign: float) -> None:
        own = self._own.get(key)
        if own is None:
            own = self._own[key] = [1.0, 1.0]
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


def _pooled(intent: str, known: Callable[[str], Posterior]) -> Posterior:
    overall = known("")
    return known(intent).shrunk(overall.mean, min(_POOLED, overall.weight)) if intent else overall


def _posterior(*parts: Sequence[float]) -> Posterior:
    alpha, beta = (1.0 + sum(part[i] - 1.0 for part in parts) for i in (0, 1))
    return Posterior(max(alpha, 1.0), max(beta, 1.0))


_PRIOR: Final = (1.0, 1.0)
_NO_BASELINE: Final = (0.5, 0.0)
