"""Sampling genes and the target model's own names for parameters."""

from collections.abc import Collection
from typing import Any

from policies.errors import OperatorError
from policies.genome import StrategyLayer
from policies.render.target import ModelTarget
from policies.render.vocabulary import Vocabulary


class Parameters:
    """Compiled once per genome and target.

    A gene that is set overrides the client's value under whichever of its names the client used, unless it is one of
    `client_wins` and the client set it. After that, the target's renames and omissions apply to whatever is there.

    Raises:
        OperatorError: `client_wins` names something that can't yield.
    """

    __slots__ = ("_careful", "_genes", "_renames", "_simple", "_yielding")

    def __init__(
        self, strategy: StrategyLayer, target: ModelTarget | None, client_wins: Collection[str], vocabulary: Vocabulary
    ) -> None:
        unknown = sorted(set(client_wins) - vocabulary.spellings.keys())
        if unknown:
            known = ", ".join(sorted(vocabulary.spellings))
            raise OperatorError(f"client_wins: '{unknown[0]}' is no gene that can yield to the client; known: {known}")
        self._genes = [
            (gene, names, value, gene in client_wins)
            for gene, names in vocabulary.spellings.items()
            if (value := getattr(strategy, gene)) is not None
        ]
        self._simple = {names[0]: value for _, names, value, _ in self._genes}
        # A request with none of these names just takes the simple values.
        self._careful = {name for _, names, _, yields in self._genes for name in (names if yields else names[1:])}
        renames = target.params.items() if target is not None else ()
        self._renames = [(name, theirs) for name, theirs in renames if theirs not in vocabulary.foreign]
        self._yielding = vocabulary.yielding

    def apply(self, request: dict[str, Any]) -> None:
        """Set, rename and drop parameters of a request in place."""
        if self._yielding is None and self._careful.isdisjoint(request):
            request.update(self._simple)
        else:
            still = self._yielding(request) if self._yielding is not None else ()
            for gene, names, value, yields in self._genes:
                if gene not in still:
                    _override(request, names, value, yields=yields)
        for name, theirs in self._renames:
            if name in request:
                sent = request.pop(name)
                if theirs is not None:
                    request.setdefault(theirs, sent)


def _override(request: dict[str, Any], names: tuple[str, ...], value: float, *, yields: bool) -> None:
    """Set a value under the name that the client used, and under that name only; null is unset."""
    used = [name for name in names if request.get(name) is not None]
    if used and yields:
        return
    for name in used[1:] if used else names[1:]:
        request.pop(name, None)
    request[used[0] if used else names[0]] = value
