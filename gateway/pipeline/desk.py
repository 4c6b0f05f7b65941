"""Where words about answers arrive: about a request of late at once, about any other after a search.

1. A worker remembers what it has answered of late. What it does not know is asked of the others on its port; a session
   always is, because its latest request may be theirs.
2. What nobody remembers is looked up in the recordings, one request at a time, in a process of its own: within the time
   for which they are kept, feedback is never too late.
3. At most `WAITING` searches wait; beyond that a word is refused, to be sent again.
4. One credential is heard so often and no more (`quota.py`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from gateway.pipeline import feedback
from gateway.pipeline.core import Core
from gateway.pipeline.feedback import Feedback, Heard
from gateway.pipeline.quota import Quota
from gateway.pipeline.recent import Recent
from gateway.pipeline.searches import Searches
from policies.errors import ClientError

log = logging.getLogger("evogate.feedback")

WAITING = 64

Done = Callable[[Heard], None]


class Desk:
    """One worker's. `others` asks the other workers and gives their `Heard` as JSON, None where nobody knows."""

    def __init__(self, core: Core, spools: Path, retain_s: float | None) -> None:
        self.others: Callable[[str], Awaitable[dict[str, Any] | None]] | None = None
        self.recorded = Searches(core, spools, retain_s)
        self._core = core
        self._quota = Quota(core)
        self._searches: set[asyncio.Task[None]] = set()

    def receive(self, raw: bytes, credential: bytes | None, done: Done) -> None:
        """Take a request's body; `done` hears what to answer, once the word is on record."""
        try:
            said = feedback.parse(raw)
        except ClientError as error:
            done(Heard(400, reason="invalid_feedback", message=str(error)))
            return
        client = self._quota.client(credential)
        refusal = self._quota.flooded(client)
        if refusal is not None:
            done(refusal)
            return
        entry = feedback.find(self._core, said, credential)
        if entry is not None and (said.session is None or self.others is None):
            self._learn(entry, said, done, client)
        elif self.others is None and not self.recorded.may_find(said.request_id):
            done(_unknown(said))
        elif len(self._searches) >= WAITING:
            done(Heard(503, reason="feedback_busy", message="too many late words at a time; send it again later"))
        else:
            task = asyncio.get_running_loop().create_task(self._search(raw, said, done, client))
            self._searches.add(task)
            task.add_done_callback(self._searches.discard)

    def remembers(self, raw: str) -> float | None:
        """For the others: when this worker gave the answer that a word is about; None where it gave none of late."""
        entry = feedback.find(self._core, feedback.parse(raw.encode()), None)
        return entry.at if entry is not None else None

    async def take(self, raw: str) -> Heard:
        """For the others: a word about an answer that this worker `remembers`."""
        said = feedback.parse(raw.encode())
        entry = feedback.find(self._core, said, None)
        return await self._learnt(entry, said) if entry is not None else _unknown(said)

    async def close(self) -> None:
        """Give up what is being searched for."""
        for task in list(self._searches):
            task.cancel()
        await asyncio.gather(*self._searches, return_exceptions=True)

    def _learn(self, entry: Recent, said: Feedback, done: Done, client: bytes | None = None) -> None:
        """`client` None: another worker has asked whether it may say it."""
        if client is not None and entry.feedback_key != said.key:
            refusal = self._quota.beyond_its_share(client, said, entry.policy)
            if refusal is not None:
                done(refusal)
                return
        frame = feedback.learn(self._core, entry, said)
        heard = Heard(202, entry.id, counted=frame is not None)
        if frame is None:
            done(heard)
        else:
            self._core.recorder.append(frame, lambda: done(heard))

    async def _learnt(self, entry: Recent, said: Feedback, client: bytes | None = None) -> Heard:
        heard: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        self._learn(entry, said, heard.set_result, client)
        return await heard

    async def _search(self, raw: bytes, said: Feedback, done: Done, client: bytes) -> None:
        try:
            done(await self._searched(raw, said, client))
        except Exception as error:
            log.exception("a word about %s was not taken", said.request_id or said.session)
            done(Heard(503, reason="feedback_failed", message=f"the search failed: {error}"))

    async def _searched(self, raw: bytes, said: Feedback, client: bytes) -> Heard:
        if self.others is not None:
            refusal = self._quota.beyond_its_share(client, said, None)
            if refusal is not None:
                return refusal
            heard = await self.others(raw.decode())
            if heard is not None:
                return Heard(**heard)
        if said.request_id is None or not self.recorded.may_find(said.request_id):
            return _unknown(said)
        entry = await self.recorded.find(said.request_id)
        return await self._learnt(entry, said, client) if entry is not None else _unknown(said)


def _unknown(said: Feedback) -> Heard:
    return Heard(404, reason="unknown_request", message=feedback.unknown(said))
