"""What an endpoint calls things, as one value: requests, answers, streams and errors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from policies.dialects.errors import ErrorBody, ErrorEvent
from policies.outcome import Answer, EventReader
from policies.render import Turns, Vocabulary

_ATTENDED: Final = frozenset({"stream", "stream_options", "background"})


@dataclass(frozen=True, slots=True)
class Dialect:
    """One endpoint's ways."""

    name: str
    path: str
    vocabulary: Vocabulary  # how requests are rendered
    turns: Callable[[dict[str, Any]], Turns]  # what a request holds of its conversation
    read_answer: Callable[[bytes], Answer]  # of an answer that was not streamed
    reader: Callable[[bool], EventReader]  # for one stream; True hides the usage that the client did not ask for
    error_event: ErrorEvent  # ends a stream that broke
    error_body: ErrorBody  # of an error that is the gateway's own
    credential: bytes = b"authorization"  # the header field that says who the client is
    stores: bool = False  # answers are stored unless the request says no

    def detached(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """The request as it can be asked again beside the original: answered whole, and stored nowhere.

        None where it belongs to a conversation that the provider keeps, for the answer would be written into it.
        """
        if body.get("conversation") is not None:
            return None
        copy = {name: value for name, value in body.items() if name not in _ATTENDED}
        if self.stores or copy.get("store"):
            copy["store"] = False
        return copy
