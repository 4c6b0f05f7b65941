"""The provider: a path's answer, and what was asked."""

import base64
import struct
from collections.abc import Callable
from typing import Any

from tests.conformance.provider import chat, messages, responses
from tests.conformance.provider.framing import HEADERS, as_json, refused
from tests.faults import wire
from tests.faults.upstream import Act, Answer, Upstream, Visit

Speak = Callable[[dict[str, Any]], Answer]

SPEAKERS: dict[bytes, Speak] = {
    b"/v1/chat/completions": chat.answer,
    b"/v1/completions": chat.text,
    b"/v1/responses": responses.answer,
    b"/v1/messages": messages.answer,
}
FILE = {"id": "file-1", "object": "file", "bytes": 4, "created_at": 1, "filename": "a.jsonl", "purpose": "batch"}
SPOKEN = bytes(range(256)) * 8  # a body that is no text
MODELS = [{"id": "fixture-1", "object": "model", "created": 1, "owned_by": "fixture"}]
_VECTOR = [0.25, -0.5]
_PACKED = base64.b64encode(struct.pack("<2f", *_VECTOR)).decode()
FIXED: dict[tuple[bytes, bytes], Answer] = {
    (b"GET", b"/v1/models"): as_json({"object": "list", "data": MODELS, "has_more": False}),
    (b"POST", b"/v1/files"): as_json(FILE),
    (b"GET", b"/v1/files/file-1/content"): (wire.whole(SPOKEN, extra=HEADERS, kind=b"application/octet-stream"),),
    (b"DELETE", b"/v1/files/file-1"): as_json({"id": "file-1", "object": "file", "deleted": True}),
    (b"POST", b"/v1/audio/speech"): (
        b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nTransfer-Encoding: chunked\r\n\r\n",
        wire.chunk(SPOKEN[:1000]),
        wire.chunk(SPOKEN[1000:]),
        wire.LAST_CHUNK,
    ),
}


class Provider(Upstream):
    """Every endpoint; the model `missing` does not exist, the model `overloaded` is (Anthropic's way)."""

    def __init__(self) -> None:
        super().__init__(((),))
        self.cut = False  # streams end in the middle of an answer, between two events

    @property
    def last(self) -> Visit:
        """The latest request."""
        return self.visits[-1]

    def answer_to(self, visit: Visit) -> Answer:
        """By path, then by model."""
        path = visit.target.partition(b"?")[0]
        self.cut = self.cut or path == b"/v1/cut"  # for clients in processes of their own
        speak = SPEAKERS.get(path)
        if speak is None:
            return _other(visit.method, path, visit)
        body = visit.json
        if body["model"] == "missing":
            return refused("404 Not Found", "The model `missing` does not exist", "model_not_found", "model")
        if body["model"] == "overloaded":
            return messages.overloaded()
        answer = speak(body)
        return (*answer[: len(answer) // 2], Act.CLOSE) if self.cut else answer


def _other(method: bytes, path: bytes, visit: Visit) -> Answer:
    """What has no model to be chosen by."""
    if path == b"/v1/embeddings":
        packed = visit.json.get("encoding_format") == "base64"
        vectors = [{"object": "embedding", "index": 0, "embedding": _PACKED if packed else _VECTOR}]
        usage = {"prompt_tokens": 2, "total_tokens": 2}
        return as_json({"object": "list", "data": vectors, "model": visit.json["model"], "usage": usage})
    unknown = refused("404 Not Found", f"Invalid URL ({path.decode()})", "unknown_url")
    return FIXED.get((method, path), unknown)
