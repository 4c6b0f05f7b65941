"""One experiment's evidence: the pure reducer behind the breaker, live in the gateway and again in every replay.

1. A unit enters each channel once, with the propensity of its first assignment in the experiment.
2. Outcomes are consumed in the order of assignment; a missing one is decided by its deadline (see `settlement`).
3. Each channel is an e-process of its own; they are combined by averaging (see `channels`). A class of failures gets
   its sums with its first failure: until then nothing is lost, for only failures move a wealth.
4. Whatever the arm's answer came from, it counts for the arm that was assigned (intention to treat).
"""

from collections.abc import Sequence
from typing import Any, Final

from policies.evidence.breaker import Run, Verdict, judge
from policies.evidence.channels import ANSWER, BY_CLASS, CHANNELS, FAILED_ANSWER, JUDGED, LANES, LATER, Channel
from policies.evidence.decision import Decision, Terms, describe
from policies.evidence.ledger import FOLDED, Ledger
from policies.evidence.settlement import Roll, Settlement, Unit
from policies.evidence.view import EXCHANGE_S, Rows, View, fleet, with_units
from policies.outcome import UNION, FailureClass

_REMEMBERED: Final = 65_536  # units of which at least the last so many are known to have entered


class ExperimentEvidence:
    """The no-harm evidence of one candidate against its control, and the breaker's verdict on it.

    `alpha` bounds the probability of ever rolling back a candidate that does no harm, `ratio` is the literal rule's
    limit over `window_s` seconds, and `deadline_s` the time after which a missing outcome is decided. `now` and `at`
    are Unix seconds; a clock that steps back is held still.
    """

    def __init__(self, experiment_id: str, *, alpha: float, ratio: float, window_s: float, deadline_s: float) -> None:
        self._terms = Terms(experiment_id, alpha, ratio, window_s)
        self._deadline_s = deadline_s
        self._roll = Roll(deadline_s)
        self._queues = {c.name: Settlement(self._roll, expired=c.expired) for c in LANES}
        self._ledgers = {c.name: self._ledger() for c in LANES}
        self._entered: tuple[set[str], set[str]] = (set(), set())  # two generations, so that forgetting is cheap
        self._classes: dict[str, list[int]] = {}
        self._run = Run()
        self._verdict: Verdict = "CLEAR"
        self._assigned_at = 0.0
        self._now = 0.0

    def assigned(self, unit: str, *, at: float, challenger: bool, q: float) -> None:
        """A unit's first assignment; `q` in (0, 1) is the candidate's propensity among candidate and control.

        A unit that has entered before is ignored.

        Raises:
            ValueError: q is not strictly between 0 and 1.
        """
        young, old = self._entered
        if unit in young or unit in old:
            return
        if not 0.0 < q < 1.0:
            raise ValueError(f"the candidate's propensity must lie strictly between 0 and 1, got {q}")
        young.add(unit)
        if len(young) >= _REMEMBERED:
            self._entered = (set(), young)
        self._assigned_at = max(self._assigned_at, at)
        self._roll.assigned(unit, self._assigned_at, challenger, q)

    def settled(self, unit: str, failure: str | None, *, now: float) -> None:
        """The outcome of the unit's first answer; classes outside the union of failures count as none."""
        self._queues[ANSWER.name].settle(unit, failure if failure in UNION else None, now)

    def followed(self, unit: str, failure: str | None, *, now: float) -> None:
        """The outcome of a later answer: one failure within the deadline is enough, and more change nothing."""
        if failure in FAILED_ANSWER:
            self._queues[LATER.name].settle(unit, failure, now)

    def judged(self, unit: str, bad: bool, *, now: float) -> None:
        """A judgement of any of the unit's answers; the first one within the deadline counts."""
        self._queues[JUDGED.name].settle(unit, FailureClass.JUDGED_BAD if bad else None, now)

    def advance(self, now: float) -> bool:
        """Consume what has settled. True where a failure was among it: the only thing that can raise an alarm."""
        self._now = max(self._now, now)
        alarming = False
        for channel in LANES:
            ledger = self._ledgers[channel.name]
            for unit in self._queues[channel.name].ready(self._now):
                failed = unit.failure in FAILED_ANSWER
                ledger.add(unit.at, unit.challenger, unit.q, failed)
                if channel is ANSWER:
                    self._run.add(unit.challenger, failed)
                if unit.failure is not None:
                    self._failed(channel, unit, unit.failure)
                    alarming = True
        return alarming

    def _failed(self, channel: Channel, unit: Unit, failure: str) -> None:
        if channel is LATER:
            return
        self._classes.setdefault(failure, [0, 0])[unit.challenger] += 1
        found = BY_CLASS.get(failure)
        if channel is ANSWER and found is not None:
            ledger = self._ledgers.get(found.name)
            if ledger is None:
                ledger = self._ledgers[found.name] = self._ledger()
            ledger.add(unit.at, unit.challenger, unit.q, True)

    def _ledger(self) -> Ledger:
        window_s = self._terms.window_s
        return Ledger(window_s=window_s, keep_s=window_s + self._deadline_s + 2 * EXCHANGE_S)

    def decision(self, peers: Sequence[Rows] = (), writers: int = 1) -> Decision:
        """The verdict at the time of the last `advance`.

        `peers` are the `totals()` of the other writers, `writers` the number of live ones with this one. A worker on
        its own trips only at writers/alpha, the fleet's sum (behind the watermark) at 1/alpha.
        """
        views = [self._alone(writers / self._terms.alpha)]
        if peers:
            views.append(self._fleet(peers))
        runaway = self._run.runaway(views[0].windows[ANSWER.name])
        self._verdict = judge(self._verdict, (view.reading(self._terms.ratio) for view in views), runaway=runaway)
        return describe(
            self._verdict,
            views,
            self._terms,
            now=self._now,
            writers=writers,
            run=self._run.length,
            runaway=runaway,
            classes=self._classes,
        )

    def _alone(self, threshold: float) -> View:
        totals = {name: ledger.total() for name, ledger in self._ledgers.items()}
        windows = {name: ledger.window(self._now) for name, ledger in self._ledgers.items()}
        stakes = {name: ledger.starts.stakes() for name, ledger in self._ledgers.items()}
        return with_units(View("alone", threshold, totals, windows, stakes))

    def _fleet(self, peers: Sequence[Rows]) -> View:
        return fleet(
            [self.totals(), *peers],
            [channel.name for channel in CHANNELS],
            now=self._now,
            window_s=self._terms.window_s,
            deadline_s=self._deadline_s,
            threshold=1.0 / self._terms.alpha,
        )

    def totals(self, since: float = 0.0) -> dict[int, dict[str, Any]]:
        """This writer's sums by bucket of assignment time (its start, whole seconds), JSON-able.

        Every row is monotone: publishing it again replaces it. Row `FOLDED` (-1) holds the sums of all buckets up to
        its `through` (whose own rows no longer count), each channel's watermark and its starts; it is always there.
        With `since` only buckets that can have changed after that `watermark` are given.
        """
        folded: dict[str, Any] = {"through": {}, "watermark": {}, "starts": {}}
        rows: dict[int, dict[str, Any]] = {FOLDED: folded}
        for name, ledger in self._ledgers.items():
            folded[name] = ledger.folded.to_dict()
            folded["through"][name] = ledger.through
            folded["starts"][name] = ledger.starts.to_dict()
            queue = self._queues.get(name, self._queues[ANSWER.name])
            folded["watermark"][name] = queue.watermark(self._now)
            for bucket, wealth in ledger.since(since):
                rows.setdefault(bucket, {})[name] = wealth.to_dict()
        return rows

    def watermark(self, now: float) -> float:
        """Every unit assigned before this time has been consumed in every channel."""
        return min(queue.watermark(now) for queue in self._queues.values())
