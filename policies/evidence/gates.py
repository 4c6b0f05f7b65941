"""What a gate's samples come to: the measured value, and whether it is good enough. A gate without a value fails.

Scope, memory and anchors count problems; syntax is the share of request shapes that rendered well; regression is the p
of an exact sign test on the requests where only one of production and candidate failed.
"""

from collections.abc import Mapping, Sequence
from math import comb
from typing import Any

SIGNIFICANCE = 0.05
COUNTED = frozenset({"scope", "memory", "anchors"})


def sign_test(worse: int, better: int) -> float:
    """P(at least `worse` of `worse + better` fair coin flips): one-sided, exact."""
    n = worse + better
    return float(sum(comb(n, k) for k in range(worse, n + 1)) / 2**n)


def gauged(name: str, samples: Sequence[str], detail: Mapping[str, Any]) -> tuple[float | None, bool]:
    """A gate's value (None where nothing was measured), and whether it is good enough.

    `samples` are the ids of what was measured; `detail` holds the `problems`, or the ids of the samples on which the
    candidate alone failed (`worse`) and production alone (`better`).

    Raises:
        KeyError: there is no gate of that name, or its detail lacks what its value follows from.
    """
    if name == "regression":
        if not samples:
            return None, False
        p_value = sign_test(len(detail["worse"]), len(detail["better"]))
        return p_value, p_value >= SIGNIFICANCE
    problems = len(detail.get("problems", ()))
    if name == "syntax":
        return (1.0 - problems / len(samples) if samples else None), not problems
    if name in COUNTED:
        return float(problems), not problems
    raise KeyError(name)
