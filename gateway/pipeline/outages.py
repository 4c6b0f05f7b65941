"""Is it the provider? One watch per upstream over all arms that use it.

Beyond some number of outcomes a tick the rest is left out, whatever they are: a watch that has seen hundreds a second
learns nothing from thousands, and the request path is the one that pays.
"""

from collections.abc import Mapping
from typing import Final

from policies.evidence import ProviderState, ProviderWatch

_PER_TICK: Final = 64


class Outages:
    """Upstreams that are down, and the policies that use them."""

    def __init__(self) -> None:
        self._watches: dict[str, ProviderWatch] = {}
        self._policies: dict[str, set[str]] = {}
        self._room = _PER_TICK
        self._changed: set[str] = set()
        self._ended: dict[str, float] = {}  # when an upstream's last outage was over
        self._told: Mapping[str, float] = {}

    def add(self, upstream: str, policy: str, arm: str, failed: bool, now: float) -> None:
        """One first answer of an arm."""
        if self._room > 0:
            self._room -= 1
            self.replay(upstream, policy, arm, failed, now)

    def replay(self, upstream: str, policy: str, arm: str, failed: bool, at: float) -> None:
        """As `add`, of an answer that is on record: none is left out."""
        watch = self._watches.get(upstream)
        if watch is None:
            watch = self._watches[upstream] = ProviderWatch()
        self._policies.setdefault(upstream, set()).add(policy)
        if watch.add(f"{policy}/{arm}", failed, now=at):
            self._changed.add(upstream)
            if not watch.state().outage:
                self._ended[upstream] = at

    def hear(self, told: Mapping[str, float]) -> None:
        """What workers have written down: until when (Unix seconds, infinite) which upstreams were down, at the latest.

        A worker to which an arm has sent little does not know its usual level, and sees no outage by itself.
        """
        self._told = told

    def turn(self) -> set[str]:
        """A new tick: the upstreams whose state has changed in the last one."""
        self._room = _PER_TICK
        changed, self._changed = self._changed, set()
        return changed

    def state(self, upstream: str) -> ProviderState:
        """The present state of one upstream."""
        return self._watches[upstream].state()

    def keep(self, arms: set[str]) -> None:
        """Forget arms (`policy/hash`) that are no longer served."""
        for upstream, watch in self._watches.items():
            for arm in watch.state().evidence.keys() - arms:
                if watch.forget(arm):
                    self._changed.add(upstream)

    def blames(self, upstream: str | None, control: str | None, since: float) -> bool:
        """Whether failures of a candidate that is served `since` then (Unix seconds) are its upstream's.

        That is or was down meanwhile, and the control is served by another.
        """
        if upstream is None or upstream == control:
            return False
        watch = self._watches.get(upstream)
        until = max(self._ended.get(upstream, 0.0), self._told.get(upstream, 0.0))
        return until > since or (watch is not None and watch.state().outage)

    @property
    def policies(self) -> set[str]:
        """Those whose provider is down."""
        down = (name for name, watch in self._watches.items() if watch.state().outage)
        return {policy for name in down for policy in self._policies[name]}

    def down(self) -> dict[str, ProviderState]:
        """The upstreams that are down."""
        states = {name: watch.state() for name, watch in self._watches.items()}
        return {name: state for name, state in states.items() if state.outage}
