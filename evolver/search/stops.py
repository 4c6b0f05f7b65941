"""When to stop, as values that compose: each looks at the history and gives a reason, or nothing."""

from collections.abc import Callable, Sequence

from evolver.search.values import Generation

Stop = Callable[[Sequence[Generation]], str]


def reached(quality: float) -> Stop:
    """Stop when the best (shrunken) quality is that high."""
    return lambda past: f"quality {quality:.2f} reached" if past and past[-1].best_quality >= quality else ""


def generations(limit: int) -> Stop:
    """Stop after so many generations; the seeds' own race is number 0."""
    return lambda past: f"{limit} generations done" if past and past[-1].number >= limit else ""


def converged(patience: int, tolerance: float = 1e-3) -> Stop:
    """Stop when the best quality has not grown for so many generations."""

    def check(past: Sequence[Generation]) -> str:
        if len(past) <= patience:
            return ""
        before = max(generation.best_quality for generation in past[:-patience])
        grown = past[-1].best_quality > before + tolerance
        return "" if grown else f"no better for {patience} generations"

    return check


def first(stops: Sequence[Stop], past: Sequence[Generation]) -> str:
    """The reason of the first that wants to stop, or nothing."""
    return next((reason for stop in stops if (reason := stop(past))), "")
