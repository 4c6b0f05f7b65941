"""Routes, attempts and rescues together, over real sockets: a small exchange that does what the gateway's does."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

from config.upstreams import Upstream
from gateway.http.errors import UpstreamError
from gateway.http.framing import find
from gateway.http.messages import Headers
from gateway.http.upstream import Call, Pool
from gateway.pipeline.admission import Refused
from gateway.pipeline.recovery import Recovery
from gateway.pipeline.routes import Route
from policies.resilience import (
    Attempts,
    BudgetRules,
    Permit,
    Rescue,
    ResilienceRules,
    RetryBudget,
    Trouble,
    status_trouble,
)
from tests.gateway.pipeline.scripted import DONE, END, STREAM, Visit, chunk, completion, delta, provider, whole

BROKEN = b"500 Internal Server Error"


class Small:
    """One request over the legs given. `out` is what a client would have; `ended` says how."""

    def __init__(self, legs: list[Route], rules: ResilienceRules, *, total_s: float = 30.0) -> None:
        self.loop = asyncio.get_running_loop()
        self.legs = legs
        self.out = b""
        self.ended: asyncio.Future[Trouble | None] = self.loop.create_future()
        self.waits = asyncio.Event()  # for another attempt
        self.calls: list[str] = []
        budget = RetryBudget(BudgetRules(), self.loop.time())
        attempts = Attempts(rules, budget, legs=len(legs), deadline=self.loop.time() + total_s)
        self.recovery = Recovery(attempts, self.send, random.Random(7).random, self.loop)
        self._call: Call | None = None
        self._permit: Permit | None = None
        self._started = False
        self._headers: Headers = []

    def send(self, leg: int, rescue: Rescue | None) -> None:
        self._route, self._rescue = self.legs[leg], rescue
        self._status, self._headers, self._body = 0, [], b""
        answer = self._route.admission.admit(self.loop.time(), self)
        if isinstance(answer, Refused):
            self.on_refused(answer)
        elif answer is not None:
            self.on_admitted(answer)

    def on_admitted(self, permit: Permit) -> None:
        self._permit = permit
        self.calls.append(self._route.name)
        path = self._route.path(b"/v1/chat/completions", "m")
        self._call = self._route.call(b"POST", path, [], b"{}", self)

    def on_refused(self, refused: Refused) -> None:
        self._failed(Trouble("refused", refused.status, refused.retry_after_s))

    def hang_up(self) -> None:
        self.recovery.cancel()
        self._route.admission.leave(self)
        if self._call is not None:
            self._call.cancel()
        self._finish(Trouble("gone"))

    def on_head(self, status: int, headers: Headers) -> None:
        self._status, self._headers = status, headers
        self._streams = (find(headers, b"content-type") or b"").startswith(b"text/event-stream")

    def on_data(self, data: bytes) -> None:
        if not self._streams:
            self._body += data
            return
        self._started = True
        self.out += self._rescue.feed(data) if self._rescue is not None else data
        if self._rescue is not None and self._rescue.failure is not None:
            assert self._call is not None
            self._call.cancel()
            self._failed(Trouble("diverged"))

    def on_end(self) -> None:
        if self._streams and not self.out.endswith(DONE):
            self._failed(Trouble("truncated"))
        elif self._status >= 400:
            self._failed(status_trouble(self._status, self._headers, 0.0))
        else:
            self._finish(None)
            self.out += self._body
            self.ended.set_result(None)

    def on_error(self, error: UpstreamError) -> None:
        self._failed(Trouble(error.kind))

    def _failed(self, trouble: Trouble) -> None:
        self._finish(trouble)
        if self.recovery.failed(trouble, self.out if self._started else None, self.loop.time()):
            self.waits.set()
        else:
            self.ended.set_result(trouble)

    def _finish(self, trouble: Trouble | None) -> None:
        permit, self._permit = self._permit, None
        if permit is not None:
            self._route.finish(permit, trouble, self.loop.time())


class Steps:
    """A provider that answers each request by the next step, and the last for ever."""

    def __init__(self, *steps: bytes) -> None:
        self.steps = list(steps)
        self.seen = 0

    async def __call__(self, visit: Visit) -> None:
        self.seen += 1
        await visit.send(self.steps.pop(0) if len(self.steps) > 1 else self.steps[0])


def streamed(*words: str, name: str = "m") -> bytes:
    return STREAM + b"".join(chunk(delta(word).replace(b'"m"', b'"%b"' % name.encode())) for word in words)


@contextlib.asynccontextmanager
async def routes(
    *scripts: Steps, health: dict[str, float] | None = None, limit: int | None = None
) -> AsyncIterator[list[Route]]:
    """A route to each, named by its place: a, b, c."""
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for name, script in zip("abc", scripts, strict=False):
            base = await stack.enter_async_context(provider(script))
            settings = Upstream.model_validate({"base_url": base, "health": health or {}, "max_concurrency": limit})
            found.append(Route(name, settings, Pool(settings, loop), loop=loop))
        try:
            yield found
        finally:
            for route in found:
                route.pool.close()


async def run(small: Small) -> Trouble | None:
    small.send(0, None)
    async with asyncio.timeout(20):
        return await small.ended


async def test_a_failure_before_the_first_byte_is_tried_again() -> None:
    async with routes(Steps(whole(b"{}", BROKEN), b"", whole(completion()))) as legs:
        small = Small(legs, ResilienceRules())
        assert await run(small) is None
        assert (small.calls, small.out) == (["a", "a", "a"], completion())
        assert small.recovery.attempts.tried_again


async def test_then_the_fallback_answers_and_only_it() -> None:
    async with routes(Steps(whole(b'{"no": 1}', BROKEN)), Steps(whole(completion("spare")))) as legs:
        small = Small(legs, ResilienceRules(retries=1))
        assert await run(small) is None
        assert (small.calls, small.out) == (["a", "a", "b"], completion("spare"))


async def test_a_wait_that_is_asked_for_is_kept() -> None:
    limited = whole(b"{}", b"429 Too Many Requests", b"Retry-After-Ms: 400\r\n")
    async with routes(Steps(limited, whole(completion()))) as legs:
        small = Small(legs, ResilienceRules())
        began = small.loop.time()
        assert await run(small) is None
        assert small.loop.time() - began >= 0.4


async def test_a_clients_fault_goes_back_to_it() -> None:
    async with routes(Steps(whole(b"{}", b"400 Bad Request")), Steps(whole(completion()))) as legs:
        small = Small(legs, ResilienceRules())
        assert await run(small) == Trouble("status", 400)
        assert small.calls == ["a"]
        assert not small.recovery.attempts.tried_again


async def test_a_cut_stream_is_an_error_where_rescues_are_not_allowed() -> None:
    async with routes(Steps(streamed("one ", "two ")), Steps(streamed("one ", "two ", "three"))) as legs:
        small = Small(legs, ResilienceRules())
        assert await run(small) == Trouble("truncated")
        assert (small.calls, small.recovery.step) == (["a"], "sent")


async def test_a_cut_stream_is_rescued_by_an_answer_that_repeats_it() -> None:
    spare = streamed("one", " two", " three", name="spare") + chunk(delta("", "stop") + DONE) + END
    async with routes(Steps(streamed("one ", "two ")), Steps(spare)) as legs:
        small = Small(legs, ResilienceRules(rescue=True))
        assert await run(small) is None
        assert small.out.startswith(delta("one ") + delta("two "))
        assert small.out.count(b"one") == small.out.count(b"two") == small.out.count(b"three") == 1
        assert small.out.endswith(delta("", "stop") + DONE)


async def test_a_rescue_that_diverges_tries_the_next_and_then_says_so() -> None:
    other = streamed("one ", "zwei ") + chunk(DONE) + END
    async with routes(Steps(streamed("one ", "two ")), Steps(other), Steps(other)) as legs:
        small = Small(legs, ResilienceRules(rescue=True))
        assert await run(small) == Trouble("diverged")
        assert (small.calls, small.out) == (["a", "b", "c"], delta("one ") + delta("two "))


async def test_an_upstream_that_is_down_is_left_alone_and_found_again() -> None:
    down, spare = Steps(whole(b"{}", BROKEN)), Steps(whole(completion("spare")))
    async with routes(down, spare, health={"consecutive": 2, "backoff_s": 0.05}) as legs:
        rules = ResilienceRules(retries=0)
        for _ in range(2):
            assert await run(Small(legs, rules)) is None
        refused = Small(legs, rules)
        assert await run(refused) is None
        assert (refused.calls, down.seen) == (["b"], 2)
        down.steps = [whole(completion("back"))]
        async with asyncio.timeout(20):
            while down.seen == 2 or refused.out != completion("back"):
                refused = Small(legs, rules)
                await run(refused)


async def test_the_total_timeout_ends_the_waiting() -> None:
    limited = whole(b"{}", b"429 Too Many Requests", b"Retry-After: 9\r\n")
    async with routes(Steps(limited)) as legs:
        small = Small(legs, ResilienceRules(), total_s=5.0)
        assert await run(small) == Trouble("status", 429, 9.0)
        assert small.recovery.step == "time"


class Silent(Steps):
    """Never answers; `asked` is set once it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.left = asyncio.Event(), asyncio.Event()

    async def __call__(self, visit: Visit) -> None:
        self.asked.set()
        try:
            await visit.gone()
            self.left.set()
        finally:
            visit.writer.close()


async def test_a_client_that_hangs_up_in_flight_cancels_the_call() -> None:
    silent = Silent()
    async with routes(silent) as legs, asyncio.timeout(20):
        small = Small(legs, ResilienceRules())
        small.send(0, None)
        await silent.asked.wait()
        small.hang_up()
        await silent.left.wait()
        assert (legs[0]._in_flight, small.ended.done()) == (0, False)


async def test_a_client_that_hangs_up_while_a_retry_waits_is_the_end_of_it() -> None:
    limited = Steps(whole(b"{}", b"429 Too Many Requests", b"Retry-After-Ms: 300\r\n"))
    async with routes(limited) as legs, asyncio.timeout(20):
        small = Small(legs, ResilienceRules(retries=1))
        small.send(0, None)
        await small.waits.wait()
        small.hang_up()
        assert await run(Small(legs, ResilienceRules(retries=1))) is not None  # waits for as long as the first would
        assert (small.calls, small.ended.done(), legs[0]._in_flight) == (["a"], False, 0)


async def test_a_client_that_hangs_up_in_the_queue_leaves_it() -> None:
    silent = Silent()
    async with routes(silent, limit=1) as legs, asyncio.timeout(20):
        first, second, third = (Small(legs, ResilienceRules()) for _ in range(3))
        for small in (first, second, third):
            small.send(0, None)
        await silent.asked.wait()
        assert legs[0].admission.waiting == 2
        second.hang_up()
        first.hang_up()
        assert (second.calls, third.calls, legs[0].admission.waiting) == ([], ["a"], 0)
        third.hang_up()
        assert legs[0]._in_flight == 0
