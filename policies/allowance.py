"""How much one client may say: a bucket of tokens for each, so that a flood from one moves little.

What fills the buckets is the caller's: seconds that pass, or answers that are given. A client that was silent may say
a bucketful at once; then it goes on at the rate itself.
"""

from collections import OrderedDict


class Allowance:
    """Buckets by client, of which the least recently heard are forgotten: `clients` are kept."""

    def __init__(self, clients: int = 4096) -> None:
        self._clients = clients
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()  # (tokens, at which `now`)

    def take(self, client: bytes, now: float, *, rate: float, most: float) -> float:
        """0.0 where one more word is taken; otherwise by how much `now` has to grow until one would be.

        `now` never falls. A bucket holds `most` words (at least one) and gains `rate` (above 0) with each 1 of `now`.
        """
        most = max(most, 1.0)
        tokens, at = self._buckets.pop(client, (most, now))
        tokens = min(tokens + (now - at) * rate, most)
        wait = 0.0 if tokens >= 1.0 else (1.0 - tokens) / rate
        self._buckets[client] = (tokens - 1.0 if not wait else tokens, now)
        if len(self._buckets) > self._clients:
            self._buckets.popitem(last=False)
        return wait
