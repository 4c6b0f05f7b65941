"""Trace context as `traceparent` carries it (W3C Trace Context, level 1). Pure: randomness is an argument.

1. A client's context is the parent of ours, and its decision to sample is ours, too.
2. Without one, or with one that can't be read, a trace begins here, sampled at the configured rate.
3. `tracestate` belongs to the client's context and passes on with it; where that can't be read, it is left out.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

HEADER = b"traceparent"
STATE = b"tracestate"

_FORM = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1


class Context(NamedTuple):
    """Where a call stands in its trace; ids as numbers, `parent` None where the trace begins here."""

    trace: int
    span: int
    parent: int | None
    sampled: bool

    @property
    def line(self) -> bytes:
        """As a header line: what the upstream sees."""
        return b"traceparent: 00-%032x-%016x-%02x\r\n" % (self.trace, self.span, self.sampled)


def child_of(header: bytes | None, rate: float, bits: Callable[[int], int]) -> Context:
    """A context of our own, below the client's.

    Args:
        header: the client's `traceparent`, if it sent one.
        rate: the share of traces that begin here to be sampled.
        bits: a uniform number of that many bits.
    """
    parent = parse(header) if header is not None else None
    if parent is None:
        return Context(_nonzero(bits, 128), _nonzero(bits, 64), None, bits(32) < rate * 2.0**32)
    return Context(parent.trace, _nonzero(bits, 64), parent.span, parent.sampled)


def parse(header: bytes) -> Context | None:
    """A `traceparent`, None where it is not one."""
    found = _FORM.fullmatch(header.strip())
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == b"ff" or (version == b"00" and more is not None) or not (int(trace, 16) and int(span, 16)):
        return None
    return Context(int(trace, 16), int(span, 16), None, bool(int(flags, 16) & _SAMPLED))


def _nonzero(bits: Callable[[int], int], width: int) -> int:
    return bits(width) or 1  # zero means "none"
