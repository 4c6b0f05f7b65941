"""Where words about answers arrive: about a request of late at once, about any other after a search.

1. A worker remembers what it has answered of late. What it does not know is asked of the others on its port; a session
   always is, because its latest request may be theirs.
2. What nobody remembers is looked up in the recordings, one request at a time, in a process of its own: within the time
   for which they are kept, feedback is never too late.
3. At most `WAITING` searches wait; beyond that a word is refused, to be sent again.
4. A credential may send so many words a minute (`gateway.limits.feedback_per_minute`): a flood from one client is
   refused and moves no decision.
5. Where many clients share a policy, one may judge a share of its answers (`gateway.limits.feedback_share` below 1),
   and `AT_ONCE` answers' worth beyond it: none alone decides what is thought of an arm. The arm that a word is about
   has no say in whether it is taken, or the cap would thin out one side of a comparison. What another worker has
   answered counts together.
"""

import asyncio
import logging
import sys
from asyncio.subprocess import PIPE
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil
from pathlib import Path
from typing import Any

import orjson

from gateway.pipeline import feedback
from gateway.pipeline.core import Core
from gateway.pipeline.feedback import Feedback
from gateway.pipeline.recent import Recent
from gateway.pipeline.replay import restored
from gateway.recording.ids import id_time
from policies.allowance import Allowance
from policies.errors import ClientError

log = logging.getLogger("evogate.feedback")

WAITING = 64
AT_ONCE = 200  # answers
REMEMBERED = 1024  # requests that were looked up
LOOK_UP_TIMEOUT_S = 120.0
_CLOCKS_S = 300.0  # by how much the clock that made an id may be ahead


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a word: an HTTP status, with the request meant or the reason why not."""

    status: int
    request_id: str = ""
    counted: bool = False
    reason: str = ""
    message: str = ""


Done = Callable[[Heard], None]


class Desk:
    """One worker's. `others` asks the other workers and gives their `Heard` as JSON, None where nobody knows."""

    def __init__(self, core: Core, spools: Path, retain_s: float | None) -> None:
        self.others: Callable[[str], Awaitable[dict[str, Any] | None]] | None = None
        self.retain_s = retain_s
        self._core = core
        self._allowance = Allowance()
        self._shares = Allowance()
        self._spools = spools
        self._looked_up: OrderedDict[str, Recent] = OrderedDict()
        self._one = asyncio.Semaphore(1)
        self._searches: set[asyncio.Task[None]] = set()

    def receive(self, raw: bytes, credential: bytes | None, done: Done) -> None:
        """Take a request's body; `done` hears what to answer, once the word is on record."""
        try:
            said = feedback.parse(raw)
        except ClientError as error:
            done(Heard(400, reason="invalid_feedback", message=str(error)))
            return
        client = blake2b(credential or b"", digest_size=16, key=self._core.key).digest()
        wait_s = self._flooded(client)
        if wait_s:
            message = f"this credential sends more feedback than is taken; go on in {ceil(wait_s)} s"
            done(Heard(429, reason="feedback_flood", message=message))
            return
        entry = feedback.find(self._core, said, credential)
        if entry is not None and (said.session is None or self.others is None):
            self._learn(entry, said, done, client)
        elif self.others is None and not self._may_be_recorded(said):
            done(_unknown(said))
        elif len(self._searches) >= WAITING:
            done(Heard(503, reason="feedback_busy", message="too many late words at a time; send it again later"))
        else:
            task = asyncio.get_running_loop().create_task(self._search(raw, said, done, client))
            self._searches.add(task)
            task.add_done_callback(self._searches.discard)

    def _flooded(self, client: bytes) -> float:
        """The seconds for which a credential (its digest) has said enough."""
        limit = self._core.epoch.settings.gateway.limits.feedback_per_minute
        return self._allowance.take(client, self._core.loop.time(), rate=limit / 60.0, most=limit)

    def _beyond_its_share(self, client: bytes, said: Feedback, policy: str | None) -> Heard | None:
        """The refusal, where the credential has judged its share of the policy's answers (None: of all policies')."""
        share = self._core.epoch.settings.gateway.limits.feedback_share
        if said.score is None or share >= 1.0:
            return None  # it moves no posterior and no evidence; or one application speaks for all users
        counters = self._core.metrics.arms.items()
        answers = sum(each.requests for (name, _), each in counters if policy is None or name == policy)
        bucket = client + (policy or "").encode()
        wait = self._shares.take(bucket, answers, rate=share, most=share * AT_ONCE)
        if not wait:
            return None
        message = (
            f"this credential has judged as many answers as one may, a share of {share:g} "
            f"(`gateway.limits.feedback_share`); go on after {ceil(wait)} more of them"
        )
        return Heard(429, reason="feedback_share", message=message)

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
            refusal = self._beyond_its_share(client, said, entry.policy)
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
            refusal = self._beyond_its_share(client, said, None)
            if refusal is not None:
                return refusal
            heard = await self.others(raw.decode())
            if heard is not None:
                return Heard(**heard)
        if said.request_id is None or not self._may_be_recorded(said):
            return _unknown(said)
        async with self._one:
            entry = self._looked_up.get(said.request_id) or await self._look_up(said.request_id)
        return await self._learnt(entry, said, client) if entry is not None else _unknown(said)

    def _may_be_recorded(self, said: Feedback) -> bool:
        try:
            age = self._core.now() - id_time(said.request_id or "")
        except ValueError:
            return False
        return age >= -_CLOCKS_S and (self.retain_s is None or age <= self.retain_s)

    async def _look_up(self, request_id: str) -> Recent | None:
        command = (sys.executable, "-m", "gateway.workers.look_up", str(self._spools), request_id)
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
        try:
            found, _ = await asyncio.wait_for(process.communicate(), LOOK_UP_TIMEOUT_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise RuntimeError(f"the search ended with exit code {process.returncode}")
        record = orjson.loads(found)
        if record is None or record["assignment"] is None:
            return None
        entry = restored(record, self._core.epoch.policies.get(record["assignment"]["policy"]))
        self._looked_up[request_id] = entry
        if len(self._looked_up) > REMEMBERED:
            self._looked_up.popitem(last=False)
        return entry


def _unknown(said: Feedback) -> Heard:
    return Heard(404, reason="unknown_request", message=feedback.unknown(said))
