"""What is wrong with an answer that has come: for the client, and for the decision whether to ask again.

A body that is JSON of a shape unknown here is not ours to judge: it passes. One that is no JSON, or an error under a
200, would be taken for an answer: it becomes an error that says so.
"""

from typing import Any, Final

import orjson

from gateway.http.messages import Headers
from gateway.pipeline.failures import Failure
from policies.outcome import Answer
from policies.resilience import Trouble, inside, status_trouble

JSON_TYPE: Final = (b"content-type", b"application/json")
_TOO_LONG: Final = b"context_length_exceeded"  # OpenAI's code, in the body of a 400


def failure_of(
    status: int, headers: Headers, body: bytes, answer: Answer | None, wall: float, *, streams: bool
) -> tuple[Failure, Trouble] | None:
    """What is wrong with a whole answer; None where nothing is.

    `wall` is Unix time in seconds. A client that asked for a stream (`streams`) would find none in it, and no error.
    """
    if status >= 400:
        trouble = Trouble("too_long", status) if _TOO_LONG in body else status_trouble(status, headers, wall)
        return Failure(status, "", "", headers=headers, body=body), trouble
    if answer is None or not (answer.error or answer.malformed or streams):
        return None
    value = _json(body)
    if answer.error:
        trouble = inside(value.get("error") if isinstance(value, dict) else None)
        failure = Failure(
            trouble.status or 502, "error_in_200", answer.error, headers=headers, body=body, answer=answer
        )
        return failure, trouble
    if value is None or streams:
        answer.malformed = answer.malformed or 1
        message = "the upstream's answer is not " + ("the stream that was asked for" if streams else "valid JSON")
        return Failure(502, "malformed", message, answer=answer), Trouble("malformed", status)
    return None


def reported_in(events: bytes, answer: Answer) -> tuple[Failure, Trouble]:
    """An error that a stream reported in the last of its events.

    A client that has nothing yet gets the provider's words as the body of an error with a status.
    """
    lines = [line[5:].strip() for line in events.splitlines() if line.startswith(b"data:")]
    body = next((line for line in reversed(lines) if isinstance(_json(line), dict)), None)
    value = _json(body) if body is not None else {}
    trouble = inside(value.get("error") or value)
    failure = Failure(
        trouble.status or 502,
        "stream_error",
        answer.error or "the upstream reported an error",
        headers=[JSON_TYPE],
        body=body,
        last=events,
        answer=answer,
    )
    return failure, trouble


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
