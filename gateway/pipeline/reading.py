"""What is wrong with an answer that has come: for the client, and for the decision whether to ask again.

A body that is JSON of a shape unknown here is not ours to judge: it passes. One that is no JSON, or an error under a
200, would be taken for an answer: it becomes an error that says so.
"""

from typing import Any

import orjson

from gateway.http.messages import Headers
from gateway.pipeline.failures import Failure
from policies.outcome import Answer
from policies.resilience import Trouble, inside, status_trouble


def failure_of(
    status: int, headers: Headers, body: bytes, answer: Answer | None, wall: float
) -> tuple[Failure, Trouble] | None:
    """What is wrong with a whole answer; None where nothing is. `wall` is Unix time in seconds."""
    if status >= 400:
        return Failure(status, "", "", headers=headers, body=body), status_trouble(status, headers, wall)
    if answer is None or not (answer.error or answer.malformed):
        return None
    value = _json(body)
    if answer.error:
        trouble = inside(value.get("error") if isinstance(value, dict) else None)
        failure = Failure(
            trouble.status or 502, "error_in_200", answer.error, headers=headers, body=body, answer=answer
        )
        return failure, trouble
    if value is None:
        message = "the upstream's answer is not valid JSON"
        return Failure(502, "malformed", message, answer=answer), Trouble("malformed", status)
    return None


def error_in(events: bytes) -> Trouble:
    """The trouble of an error that a stream reported, from the last of its events."""
    lines = [line[5:] for line in events.splitlines() if line.startswith(b"data:")]
    value = _json(lines[-1]) if lines else None
    return inside(value.get("error") or value if isinstance(value, dict) else None)


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
