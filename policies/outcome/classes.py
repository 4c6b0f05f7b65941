"""The names of what can go wrong with an answer."""

from enum import StrEnum
from typing import Final


class FailureClass(StrEnum):
    """Why an answer was no good. Recorded by value; the values are part of the recordings' format."""

    TRANSPORT = "transport"  # the provider could not be reached, or said nothing
    SERVER_ERROR = "server_error"  # 5xx, an error inside a 200, or bytes that are no answer
    BAD_REQUEST = "bad_request"  # the provider refused what we sent: 400, 413, 422 and other 4xx
    INVALID_OUTPUT = "invalid_output"  # a validator of the text said no
    INVALID_TOOL_CALL = "invalid_tool_call"  # arguments that do not fit the tool, or a tool that does not exist
    REFUSAL = "refusal"
    CUT_SHORT = "cut_short"  # max_tokens reached, or the stream ended before its end
    TOO_SLOW = "too_slow"
    TOO_DEAR = "too_dear"
    JUDGED_BAD = "judged_bad"  # explicit feedback said no
    FELL_OPEN = "fell_open"  # a fault here: the client's own bytes went up instead of the arm's
    FELL_BACK = "fell_back"  # another arm answered in this one's place
    CLIENT_GONE = "client_gone"
    AUTH = "auth"  # 401, 403
    RATE_LIMITED = "rate_limited"  # 429


OUTSIDE: Final[frozenset[str]] = frozenset({FailureClass.CLIENT_GONE, FailureClass.AUTH, FailureClass.RATE_LIMITED})
"""Classes that say nothing about an arm: they are recorded, and count neither for nor against it."""

UNION: Final[frozenset[str]] = frozenset(FailureClass) - OUTSIDE
"""Classes that count against the arm."""

PROVIDERS: Final[frozenset[str]] = frozenset({FailureClass.TRANSPORT, FailureClass.SERVER_ERROR})
"""Those that an outage of the provider shows as. What else rises on all arms at once is drift of what is asked."""
