"""What can go wrong with an upstream, as one error with a kind."""

from typing import Final, Literal, get_args

from policies.errors import ProviderError

Kind = Literal[
    "connect",
    "tls",
    "timeout_connect",
    "timeout_first_byte",
    "timeout_idle",
    "timeout_total",
    "truncated",
    "protocol",
    "overloaded",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class UpstreamError(ProviderError):
    """The upstream gave no answer, or not all of it. `kind` says where it went wrong."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind
