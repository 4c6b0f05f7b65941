"""The key of a policy's draws: secret, and another one whenever a comparison begins or ends."""

from collections.abc import Iterable
from hashlib import blake2b


def draw_salt(secret: bytes, policy: str, parts: Iterable[str]) -> bytes:
    """32 bytes, from the data folder's secret (at most 64 bytes) and the salts of the comparisons that run."""
    return blake2b("|".join([policy, *sorted(parts)]).encode(), key=secret, digest_size=32).digest()


def salt_name(salt: bytes) -> str:
    """What a recording calls a salt, 16 hexadecimal digits that give nothing of it away."""
    return blake2b(salt, digest_size=8).hexdigest()
