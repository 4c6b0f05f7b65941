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

    def __init__(
        self, strategy: StrategyLayer, target: ModelTarget | None, client_wins: Collection[str], vocabulary: Vocabulary
    ) -> None:
        unknown = sorted(set(client_wins) - vocabulary.spellings.keys())
        if unknown:
            known = ", ".join(sorted(vocabulary.spellings))
            raise OperatorError(f"client_wins: '{unknown[0]}' is no gene that can yield to the client; known: {known}")
        values = {gene: getattr(strategy, gene) for gene in vocabulary.spellings}
        self._genes = [
            (vocabulary.spellings[gene], value, gene in client_wins)
            for gene, value in values.items()
            if value is not None
        ]
        self._renames = list(target.params.items()) if target is not None else []

    def apply(self, request: dict[str, Any]) -> None:
        """Set, rename and drop parameters of a request in place."""
        for spellings, value, yields in self._genes:
            used = [name for name in spellings if request.get(name) is not None]
            if used and yields:
                continue
            for name in spellings[1:] if not used else used[1:]:
                request.pop(name, None)
            request[used[0] if used else spellings[0]] = value
        for name, theirs in self._renames:
            if name in request:
                value = request.pop(name)
                if theirs is not None:
                    request.setdefault(theirs, value)
