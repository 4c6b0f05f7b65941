"""A further try of what was stopped before: at the floor, with less error to spend, and after a longer pause each time.

Content that tripped is gone for good (its tombstone). What may be tried again is a descendant of it, and a candidate
that was suspended because its upstream was at fault; each try is a fresh e-process. The k-th one gets alpha / 2^k, so
that all tries of a lineage together take back a harmless candidate with probability at most 2 alpha.

A suspicion that passes needs no new try: its e-process goes on, and one e-process spends its alpha once.
"""

from collections.abc import Collection, Mapping
from typing import Any

FIRST_PAUSE_S = 60.0
_LONGEST = 10  # doublings, so that a pause stays below a day


def earlier_trips(content: str, parents: Mapping[str, Collection[str]], taken_back: Collection[str]) -> int:
    """How many of the ancestors of `content` (and itself) were taken back; `parents` by content hash."""
    known, open_ = {content}, [content]
    while open_:
        found = set(parents.get(open_.pop(), ())) - known
        known |= found
        open_ += found
    return sum(each in known for each in set(taken_back))


def suspended_by(stations: Mapping[str, Any]) -> str:
    """The upstream for whose fault a candidate is out of its canary; "" where it is not."""
    noted = stations.get("canary", {}).get("suspended") or {}
    return str(noted.get("upstream", ""))


def tries_of(stations: Mapping[str, Any]) -> int:
    """The tries before this one, as they were written down when the candidate's canary began."""
    return int(stations.get("canary", {}).get("tries", 0))


def alpha_of(alpha: float, tries: int) -> float:
    """What a try may spend after so many others."""
    return alpha / 2.0**tries


def pause_s(tries: int) -> float:
    """Seconds to wait before the next try after so many."""
    return FIRST_PAUSE_S * 2.0 ** min(tries, _LONGEST)
