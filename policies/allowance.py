"""How much one client may say in a while: a bucket of tokens for each, so that a flood from one moves little.

A client that was silent may say a minute's worth at once; then it goes on at the rate itself.
"""

from collections import OrderedDict

_SPAN_S = 60.0


class Allowance:
    """Buckets by client, of which the least recently heard are forgotten: `clients` are kept."""

    def __init__(self, clients: int = 4096) -> None:
        self._clients = clients
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()  # (tokens, when), on a steady clock

    def take(self, client: bytes, per_minute: float, now: float) -> float:
        """0.0 where one more word is taken; otherwise the seconds after which one would be. `now` never falls."""
        tokens, at = self._buckets.pop(client, (per_minute, now))
        tokens = min(tokens + (now - at) * per_minute / _SPAN_S, per_minute)
        wait_s = 0.0 if tokens >= 1.0 else (1.0 - tokens) * _SPAN_S / per_minute
        self._buckets[client] = (tokens - 1.0 if not wait_s else tokens, now)
        if len(self._buckets) > self._clients:
            self._buckets.popitem(last=False)
        return wait_s
