"""When requests arrive, and what they say.

Arrivals are a Poisson process: independent clients bunch up, and evenly spaced arrivals would hide the queues that this
makes. A seed gives the same arrivals to every target.
"""

import random
from collections.abc import Iterator
from pathlib import Path

MARK = b"0000000000"  # stands in the request where each gets a number of its own


def poisson(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """Times of arrival in seconds from the start, ascending, `rate` a second on average."""
    rng = random.Random(seed)
    at = rng.expovariate(rate)
    while at < seconds:
        yield at
        at += rng.expovariate(rate)


def ramp(count: int, seconds: float) -> Iterator[float]:
    """`count` times spread evenly over `seconds`: how many streams begin is fixed, not random."""
    return (number * seconds / count for number in range(count))


def numbered(path: Path) -> Iterator[bytes]:
    """Requests without end, each with another number in place of the mark; a constant body is one conversation.

    Raises:
        ValueError: the file's request has no mark, or several.
    """
    head, *tail = path.read_bytes().split(MARK)
    if len(tail) != 1:
        raise ValueError(f"{path}: the mark {MARK.decode()} must stand there once, not {len(tail)} times")
    number = 0
    while True:
        number += 1
        yield b"%s%010d%s" % (head, number, tail[0])
