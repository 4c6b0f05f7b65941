"""Which salts a policy's draws may have had: one for each set of comparisons that a gateway may have seen at a time.

A gateway reads holdbacks and experiments one after the other, some time after they were written; and whoever writes
several rows gives them one time. So a draw may have seen any running set with any holdback of the last while, unless
its frame names the salt.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from math import inf
from typing import Generic, TypeVar

from policies.registry.values import Experiment
from policies.salt import draw_salt, salt_name
from policies.verification.facts import PolicyFacts

LAG_S = 120.0  # between the time that a row is given and the last draw that does not know of it
SKEW_S = 1.0  # between the clock of whoever wrote to the registry and the gateway's

_Running = frozenset[str]  # salts
T = TypeVar("T")


class Salts:
    """By time, and by the name that a recording gives them."""

    def __init__(self, secret: bytes, facts: PolicyFacts) -> None:
        self.since = next((note.at for note in facts.notes if note.link), inf)  # all that came later left a note
        self._secret = secret
        self._policy = facts.name
        self._running = _History(frozenset[str]())
        self._held = _History("")
        self._tell(facts)
        self._spans: dict[tuple[int, int, int, int], Sequence[bytes]] = {}

    def at(self, time: float, name: str) -> Sequence[bytes]:
        """Those that a draw of that time can have had, the likeliest first; the one of that name where there is one."""
        if name:
            found = self._named.get(name)
            return () if found is None else (found,)
        span = *self._running.span(time - LAG_S, time + SKEW_S), *self._held.span(time - LAG_S, time + SKEW_S)
        salts = self._spans.get(span)
        if salts is None:
            running, held = self._running.states[span[0] : span[1]], self._held.states[span[2] : span[3]]
            salts = self._spans[span] = list(dict.fromkeys(self._salts(running[::-1], held[::-1])))
        return salts

    @cached_property
    def _named(self) -> dict[str, bytes]:
        salts = self._salts(self._running.states, self._held.states)
        return {salt_name(salt): salt for salt in salts}

    def _salts(self, running: Iterable[_Running], held: Iterable[str]) -> Iterable[bytes]:
        holdbacks = dict.fromkeys(held)
        for salts in dict.fromkeys(running):
            for one in holdbacks:
                if salts or one:  # with nothing to compare there is one arm, and no draw
                    yield draw_salt(self._secret, self._policy, [*salts, one] if one else salts)

    def _tell(self, facts: PolicyFacts) -> None:
        salts = {experiment.id: experiment.salt for experiment in facts.experiments}
        noted = {note.subject for note in facts.notes if note.action == "experiment"}
        self._older(experiment for experiment in facts.experiments if experiment.id not in noted)
        for note in facts.notes:
            running = self._running.states[-1]
            if note.action == "experiment" and note.subject in salts:
                self._running.add(note.at, running | {salts[note.subject]})
            elif note.action == "verdict" and note.subject in salts:
                self._running.add(note.at, running - {salts[note.subject]})
            elif note.action in {"holdback", "holdback ended"}:
                self._held.add(note.at, note.detail.get("salt", ""))

    def _older(self, experiments: Iterable[Experiment]) -> None:
        """Those that began before there was a trail."""
        known = list(experiments)
        ends = [(e.ended_at, e.salt, False) for e in known if e.ended_at is not None]
        for at, salt, begins in sorted([*((e.started_at, e.salt, True) for e in known), *ends]):
            running = self._running.states[-1]
            self._running.add(at, running | {salt} if begins else running - {salt})


class _History(Generic[T]):
    """States in the order in which they came, each with the time that it was given."""

    def __init__(self, first: T) -> None:
        self.states = [first]
        self._from = [0.0]

    def add(self, at: float, state: T) -> None:
        self.states.append(state)
        self._from.append(max(at, self._from[-1]))

    def span(self, start: float, end: float) -> tuple[int, int]:
        """The slice of those that were the present one at some moment from `start` to `end`."""
        return max(bisect_right(self._from, start) - 1, 0), bisect_right(self._from, end)
