"""What became of requests that memory entries were put into, or held out of, counted by entry."""

import sqlite3
from collections import defaultdict

from evolver.store.queries import queries
from policies.memory.counters import Counter, decay

_DAY_S = 86_400.0
_HALF_LIVES = 8  # what is older weighs less than half a percent


def counters(db: sqlite3.Connection, *, policy: str, now: float, half_life_s: float) -> dict[str, Counter]:
    """Counters by entry id as of `now`, a day's requests weighing what the middle of the day does."""
    found: defaultdict[str, Counter] = defaultdict(Counter)
    parameters = {"policy": policy, "since": now - _HALF_LIVES * half_life_s}
    for entry, day, withheld, requests, rewarded in db.execute(queries("recalls")["counters"], parameters):
        once = Counter(withheld=requests, rewarded_without=rewarded) if withheld else Counter(requests, rewarded)
        found[entry] = found[entry].plus(once, decay(now - (day + 0.5) * _DAY_S, half_life_s))
    return dict(found)
