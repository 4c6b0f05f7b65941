"""`Idempotency-Key`: a POST that is sent again with the same key and the same content gets the answer it had.

1. The same key with other content is refused (422), and one whose first request still runs has to wait (409).
2. Answers are kept in the analysis database for a day, the newest `MOST` of them; a restart forgets none.
3. Only what a client can't repeat without harm is kept: no refusals and failures, which have changed nothing, and no
   answers of more than `MAX_BYTES`, which are those of services that change nothing.

The header as in draft-ietf-httpapi-idempotency-key-header.
"""

import time
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from aiohttp import web

from evolver.api.common import DAEMON, envelope

if TYPE_CHECKING:
    from evolver.store import Store

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT_S = 86_400.0
MOST = 200
MAX_BYTES = 65_536
_LONGEST_KEY = 255
_STATE = "idempotency"

RUNNING: web.AppKey[set[str]] = web.AppKey("running")


@web.middleware
async def once(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a repeated POST as its first one was answered."""
    key = request.headers.get(HEADER)
    if request.method != "POST" or key is None:
        return await handler(request)
    if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
        return envelope(400, f"an {HEADER} has 1 to {_LONGEST_KEY} printable characters", HEADER)
    content = await _digest(request)
    replies, running = Replies(request.app[DAEMON].store), request.app[RUNNING]
    kept = await replies.of(key, time.time())
    if kept is not None:
        return _again(kept, key, content)
    if key in running:
        return envelope(409, f"a request with the {HEADER} '{key}' is still running; ask again in a moment", HEADER)
    running.add(key)
    try:
        answer = await handler(request)
        if isinstance(answer, web.Response):  # refusals and failures are exceptions
            await replies.keep(key, content, answer, time.time())
        return answer
    finally:
        running.discard(key)


class Replies:
    """The answers that were given, in the analysis database."""

    def __init__(self, store: "Store") -> None:
        self._store = store

    async def of(self, key: str, now: float) -> dict[str, Any] | None:
        """What was kept under that key, unless it is too old."""
        kept: dict[str, Any] | None = (await self._store.kept(_STATE)).get(key)
        return kept if kept is not None and now - kept["at"] <= KEPT_S else None

    async def keep(self, key: str, content: str, answer: web.Response, now: float) -> None:
        """Keep an answer, and let go of what is too old or too much."""
        body = answer.body if isinstance(answer.body, bytes) else b""
        if len(body) > MAX_BYTES:
            return
        kept = {k: v for k, v in (await self._store.kept(_STATE)).items() if now - v["at"] <= KEPT_S}
        kept[key] = {"at": now, "content": content, "status": answer.status, "body": body.decode()}
        newest = sorted(kept.items(), key=lambda item: item[1]["at"])[-MOST:]
        await self._store.keep(_STATE, dict(newest))


def _again(kept: dict[str, Any], key: str, content: str) -> web.Response:
    if kept["content"] != content:
        return envelope(422, f"the {HEADER} '{key}' was used for another request; take a fresh one", HEADER)
    body, status = kept["body"].encode(), kept["status"]
    return web.Response(body=body, status=status, content_type="application/json", headers={REPLAYED: "true"})


async def _digest(request: web.Request) -> str:
    """Of what is asked for: where, and with which body."""
    content = b"%b\n%b" % (request.path_qs.encode(), await request.read())
    return blake2b(content, digest_size=16).hexdigest()
