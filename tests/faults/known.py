"""What the gateway does not get right yet: (fault, shape) -> why. Each must fail; delete a row when it passes.

The glue and the unreadable 200 are one place each: `gateway/pipeline/exchange.py`, `_end_stream` and `_end_whole`.
"""

from tests.faults.catalogue import Shape

Rows = dict[tuple[str, Shape], str]

UNREAD = "a 200 whose body is no answer passes as a success; it should become 502 `malformed`"
_EVENT = "an event that is no JSON is relayed, and [DONE] after it; it should end the stream with an error event"
_GLUED = "the half event before the end is relayed without its blank line, and the error event is glued to it"
_QUIET = "the official client does not look for `error` in a 200; with status 502 and the same body it raises"

ON_THE_WIRE: Rows = {
    ("S10", "stream"): _EVENT,
    ("S10", "whole"): UNREAD,
    ("P02", "stream"): _GLUED,
    ("P02", "whole"): UNREAD,
    ("P08", "stream"): UNREAD,
    ("P08", "whole"): UNREAD,
    ("P09", "whole"): UNREAD,
    ("P12", "stream"): UNREAD,
}
OFFICIAL: Rows = ON_THE_WIRE | {("P03", "whole"): _QUIET}
