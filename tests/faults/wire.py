"""What a provider sends, well formed: the pieces that faults are cut from."""

from collections.abc import Sequence

import orjson

TEXT = (
    "A ferry that leaves on time with half of its cars ashore has kept the timetable and broken the promise ; those "
    "who wait on the far side do not ask when it left but whether all that was loaded came across and they would "
    "rather hear that it turned back in the fog than count cars on a deck that should have been full tonight"
)
WORDS = TEXT.split(" ")
MODEL = "fixture-1"
PROMPT_TOKENS = 12

STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def head(status: str, length: int, extra: bytes = b"", kind: bytes = b"application/json") -> bytes:
    """The head of an answer with a length."""
    line = b"HTTP/1.1 %b\r\nContent-Type: %b\r\n%bContent-Length: %d\r\n\r\n"
    return line % (status.encode(), kind, extra, length)


def whole(body: bytes, status: str = "200 OK", extra: bytes = b"", kind: bytes = b"application/json") -> bytes:
    """An answer with a length."""
    return head(status, len(body), extra, kind) + body


def error(status: str, message: str, code: str | None = None, extra: bytes = b"") -> bytes:
    """A provider's own error, in its envelope."""
    return whole(error_body(message, code), status, extra)


def error_body(message: str, code: str | None = None) -> bytes:
    """The envelope."""
    return orjson.dumps({"error": {"message": message, "type": "provider_error", "param": None, "code": code}})


def completion(text: str = TEXT, model: str = MODEL) -> bytes:
    """A chat completion that was not streamed."""
    message = {"role": "assistant", "content": text}
    return orjson.dumps(
        {
            "id": f"chatcmpl-{model}",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": _usage(len(text.split())),
        }
    )


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(value: object) -> bytes:
    """One server-sent event."""
    return b"data: " + orjson.dumps(value) + b"\n\n"


def deltas(words: Sequence[str], *, first: bool = True, model: str = MODEL) -> bytes:
    """An event a word."""
    pieces = [w if first and not i else f" {w}" for i, w in enumerate(words)]
    return b"".join(event(_piece({"content": piece}, None, model)) for piece in pieces)


def finish(model: str = MODEL, words: int = len(WORDS)) -> bytes:
    """The event with the finish reason, then the one with the usage."""
    usage = {**_piece({}, None, model), "choices": [], "usage": _usage(words)}
    return event(_piece({}, "stop", model)) + event(usage)


def answer(model: str = MODEL, text: str = TEXT) -> bytes:
    """A whole streamed answer."""
    words = text.split()
    return STREAM_HEAD + chunk(deltas(words, model=model)) + chunk(finish(model, len(words)) + DONE) + LAST_CHUNK


def _piece(delta: dict[str, str], reason: str | None, model: str) -> dict[str, object]:
    choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
    return {
        "id": f"chatcmpl-{model}", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices
    }  # fmt: skip


def _usage(words: int) -> dict[str, int]:
    return {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": words, "total_tokens": PROMPT_TOKENS + words}
