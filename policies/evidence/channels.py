"""The kinds of harm that are watched, each by an e-process of its own.

The breaker looks at the weighted mean of their e-values, which is an e-value whatever their dependence. Half of the
weight lies on all failed answers together; the classes share the rest, so that a rare kind of failure that becomes ten
times as frequent is seen long before it shows among all failures. An answer that is too slow or too dear is no failure
of the answer: a permitted trade of one for the other must not trip, so these two are held against twice production's
rate from the outset.
"""

from dataclasses import dataclass
from typing import Final

from policies.evidence.noharm import Rho
from policies.outcome import UNION, FailureClass

EXPIRED: Final = "expired"  # the failure of an answer that had not come by its deadline


@dataclass(frozen=True, slots=True)
class Channel:
    """One kind of harm.

    `weight` is its part of the mean, `plural` what its units are called, `rho` the least ratio to production that is
    harm at all. `expired`: what silence until the deadline counts as, a failure's name or None.
    """

    name: str
    weight: float
    plural: str
    rho: Rho = 1
    expired: str | None = None


ANSWER: Final = Channel("answer", 0.5, "answers", expired=EXPIRED)
LATER: Final = Channel("later", 0.1, "conversations, by their later answers")
JUDGED: Final = Channel("judgement", 0.2, "judgements")
LANES: Final = (ANSWER, LATER, JUDGED)  # every unit waits in each of these for its outcome

UNREACHABLE: Final = Channel("unreachable", 0.03, "answers that did not come")
SERVER_ERROR: Final = Channel("server_error", 0.03, "answers, by server errors")
INVALID: Final = Channel("invalid", 0.04, "answers, by invalid ones")
REFUSAL: Final = Channel("refusal", 0.03, "answers, by refusals")
CUT_SHORT: Final = Channel("cut_short", 0.03, "answers, by those cut short")
SLOW: Final = Channel("slow", 0.02, "answers, by slow ones", rho=2)
DEAR: Final = Channel("dear", 0.02, "answers, by dear ones", rho=2)

CHANNELS: Final = (*LANES, UNREACHABLE, SERVER_ERROR, INVALID, REFUSAL, CUT_SHORT, SLOW, DEAR)
BY_NAME: Final = {channel.name: channel for channel in CHANNELS}

BY_CLASS: Final[dict[str, Channel]] = {
    EXPIRED: UNREACHABLE,
    FailureClass.TRANSPORT: UNREACHABLE,
    FailureClass.SERVER_ERROR: SERVER_ERROR,
    FailureClass.BAD_REQUEST: INVALID,
    FailureClass.INVALID_OUTPUT: INVALID,
    FailureClass.INVALID_TOOL_CALL: INVALID,
    FailureClass.REFUSAL: REFUSAL,
    FailureClass.CUT_SHORT: CUT_SHORT,
    FailureClass.TOO_SLOW: SLOW,
    FailureClass.TOO_DEAR: DEAR,
}
"""Where the failures of first answers go besides ANSWER; the others (faults here) count there alone."""

FAILED_ANSWER: Final[frozenset[str]] = (UNION | {EXPIRED}) - {name for name, found in BY_CLASS.items() if found.rho > 1}
"""The failures that ANSWER, LATER and the run of consecutive failures count."""
