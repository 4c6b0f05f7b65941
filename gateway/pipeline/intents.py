"""Classifiers of intents as epochs hold them: unpacked once a version, whatever the number of epochs."""

from collections.abc import Iterable, Mapping
from typing import Any

from policies.intents import Classifier, from_json


class Intents:
    """By policy."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, Classifier]] = {}

    def of(self, policy: str, stored: Mapping[str, Any]) -> Classifier | None:
        """What the registry holds for a policy, ready to be asked; None where nothing has been learnt yet.

        Raises:
            ValueError: it is broken, or from a later version of this code.
        """
        if not stored:
            return None
        version = stored.get("version")
        known = self._known.get(policy)
        if known is None or known[0] != version:
            known = self._known[policy] = version, from_json(dict(stored))
        return known[1]

    def keep(self, policies: Iterable[str]) -> None:
        """Forget those of policies that are no more."""
        self._known = {name: self._known[name] for name in policies if name in self._known}
