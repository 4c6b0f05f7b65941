"""What an analysis had to work with, in a sentence: no finding in a thousand conversations is not none in three."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from evolver.analysis.values import Thresholds
from evolver.examples import Example

STATE = "analysis:{}"  # of a policy, in the registry


def summary(examples: Sequence[Example], findings: int, *, policy: str, now: float) -> dict[str, Any]:
    """`at`, `examples`, `conversations`, `bad`, `findings` and `said`, as JSON values."""
    telling = [one for one in examples if one.policy == policy and (one.failure is None or one.failed)]
    units = {one.unit for one in telling}
    bad = [one for one in telling if one.bad]
    counts = {"examples": len(telling), "conversations": len(units), "bad": len(bad), "findings": findings}
    return {"at": now, **counts, "said": _said(len(examples), telling, len(units), bad)}


def _said(recorded: int, telling: Sequence[Example], units: int, bad: Sequence[Example]) -> str:
    needed = Thresholds().min_units
    if not recorded:
        return "nothing to look at: no request of this version has both its body and its outcome on record"
    if not telling:
        return f"{recorded} requests on record say nothing about the genome: hang-ups, rate limits, credentials"
    if units < needed:
        return f"{units} conversations are too few to say anything; {needed} are the least"
    return f"{units} conversations, {len(bad)} of {len(telling)} answers bad{_reservation(telling, bad)}"


def _reservation(telling: Sequence[Example], bad: Sequence[Example]) -> str:
    """What such recordings can't show."""
    if len(bad) == len(telling):
        (what, many), *_ = Counter(one.failure or "rejected" for one in bad).most_common(1)
        return f" ({what}: {many}): there is nothing good to compare with"
    if not bad and not any(one.score is not None or one.continued for one in telling):
        return ", and no user said a word: only speed and cost could be looked at"
    if not any(one.request_text.strip() for one in telling):
        return ", without any text from a user: topics could not be told apart"
    return ""
