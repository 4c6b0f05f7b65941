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


def converged(patience: int) -> Stop:
    """Stop when the same genome has led for so many generations.

    Qualities can't tell: they are estimates, which move as the field sees more examples.
    """

    def check(past: Sequence[Generation]) -> str:
        leaders = {generation.best for generation in past[-patience - 1 :]}
        settled = len(past) > patience and len(leaders) == 1
        return f"the same genome has led for {patience} generations" if settled else ""

    return check


def first(stops: Sequence[Stop], past: Sequence[Generation]) -> str:
    """The reason of the first that wants to stop, or nothing."""
    return next((reason for stop in stops if (reason := stop(past))), "")
