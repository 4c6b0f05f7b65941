"""Which policy covers a request: by path and model pattern, or by the client's own choice.

1. `x-evogate-policy` chooses a policy whatever the model, on that policy's path. On another path the request is
   nobody's (clients send the header with every call), and a name that does not exist is the client's error.
2. A policy's own name, asked for as the model, is that policy.
3. Otherwise the first policy, in the order of the configuration, one of whose patterns matches.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import translate
from typing import Final

from policies.errors import ClientError

_CACHE_LIMIT: Final = 4_096


class Matcher:
    """Finds policies; patterns are compiled once and answers are remembered, in bounded number.

    Args:
        policies: name -> (path, shell patterns of models), in order of precedence.
    """

    def __init__(self, policies: Mapping[str, tuple[str, Sequence[str]]]) -> None:
        self._paths = {name: path for name, (path, _) in policies.items()}
        self._models = {name: _any_of(patterns) for name, (_, patterns) in policies.items()}
        self._known: dict[tuple[str, str, str | None], str | None] = {}

    def find(self, path: str, model: str, chosen: str | None = None) -> str | None:
        """Name of the policy that covers the request; None: nobody's, relay it untouched.

        Raises:
            ClientError: `chosen` names no policy.
        """
        key = (path, model, chosen)
        try:
            return self._known[key]
        except KeyError:
            found = self._search(path, model, chosen)
        if len(self._known) >= _CACHE_LIMIT:
            self._known.clear()
        self._known[key] = found
        return found

    def _search(self, path: str, model: str, chosen: str | None) -> str | None:
        if chosen is not None:
            if chosen not in self._paths:
                known = ", ".join(sorted(self._paths)) or "none"
                raise ClientError(f"x-evogate-policy: no policy is named '{chosen}'; known: {known}")
            return chosen if self._paths[chosen] == path else None
        if self._paths.get(model) == path:
            return model
        candidates = (name for name, own_path in self._paths.items() if own_path == path)
        return next((name for name in candidates if self._models[name].fullmatch(model)), None)


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns) or r"(?!)")
