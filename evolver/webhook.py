"""News for the operator's own systems: a signed POST, retried with growing pauses, never in the way of anything.

A delivery carries an id, a time and a signature of both with the body:

    x-evogate-delivery: 5f0c…            the same for every attempt, so that a receiver can tell a repetition
    x-evogate-timestamp: 1760000000      Unix seconds of this attempt, so that it can tell an old one
    x-evogate-signature: sha256=…        HMAC-SHA256 of "<delivery>.<timestamp>.<body>" under `evolver.webhook_secret`

`verify` is what a receiver does with them.
"""

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Self

import aiohttp
import orjson

from config.evolving import Evolver
from policies.errors import ClientError

log = logging.getLogger(__name__)

DELIVERY = "x-evogate-delivery"
TIMESTAMP = "x-evogate-timestamp"
SIGNATURE = "x-evogate-signature"
ATTEMPTS = 5
PENDING = 100  # beyond it news is dropped, said so in the log: a receiver that hangs must not fill the memory
TOLERANCE_S = 300.0  # how old a delivery may be, or how far ahead of the receiver's clock
LONGEST_PAUSE_S = 60.0  # whatever a receiver's retry-after says
_FOR_GOOD = frozenset({400, 401, 403, 404, 405, 410, 413, 422})  # trying again would not help


def signature(secret: bytes, delivery: str, timestamp: str, body: bytes) -> str:
    """`sha256=<hex>` of HMAC-SHA256 over id, time and body."""
    signed = f"{delivery}.{timestamp}.".encode() + body
    return "sha256=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()


def verify(secret: bytes, headers: Mapping[str, str], body: bytes, *, now: float, seen: Callable[[str], bool]) -> None:
    """What a receiver checks; `headers` with lower-case names, `seen` says whether a delivery's id was taken before.

    Raises:
        ClientError: not signed with that secret, too old, or a repetition.
    """
    delivery, timestamp = headers.get(DELIVERY, ""), headers.get(TIMESTAMP, "")
    if not hmac.compare_digest(signature(secret, delivery, timestamp, body), headers.get(SIGNATURE, "")):
        raise ClientError("the signature does not fit; is the secret the same on both sides?")
    if abs(now - int(timestamp)) > TOLERANCE_S:
        raise ClientError(f"the delivery is {now - int(timestamp):.0f} s old; are the clocks right?")
    if seen(delivery):
        raise ClientError(f"delivery {delivery} was taken before")


class Webhook:
    """Sends in the background; closing gives what is under way a last moment."""

    def __init__(
        self,
        settings: Evolver,
        *,
        pause_s: float = 1.0,
        timeout_s: float = 10.0,
        clock: Callable[[], float] = time.time,
        rng: Random | None = None,
    ) -> None:
        self._settings = settings
        self._pause_s = pause_s
        self._clock = clock
        self._rng = rng or Random()  # noqa: S311 (spreads retries)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.failures = 0

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2.0)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def configure(self, settings: Evolver) -> None:
        """Take new settings over from the next event on."""
        self._settings = settings

    def send(self, event: str, policy: str, at: float, detail: dict[str, Any]) -> None:
        """Tell the receiver, where there is one: `event` is promotion, rollback, incident, approval or cycle."""
        if self._settings.webhook is None:
            return
        if len(self._tasks) >= PENDING:
            self._failed(event, "too many are waiting already")
            return
        body = orjson.dumps({"event": event, "policy": policy, "at": at, **detail})
        task = asyncio.create_task(self._deliver(self._settings.webhook, event, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, url: str, event: str, body: bytes) -> None:
        delivery, problem = secrets.token_hex(16), ""
        for attempt in range(ATTEMPTS):
            problem, pause_s = await self._post(url, body, self._headers(delivery, body))
            if not problem:
                return
            if pause_s is None or attempt == ATTEMPTS - 1:
                break
            backoff_s = self._pause_s * 2**attempt * self._rng.uniform(0.5, 1.5)
            await asyncio.sleep(min(max(backoff_s, pause_s), LONGEST_PAUSE_S))
        self._failed(event, problem)

    def _headers(self, delivery: str, body: bytes) -> dict[str, str]:
        timestamp = str(int(self._clock()))
        headers = {"content-type": "application/json", DELIVERY: delivery, TIMESTAMP: timestamp}
        if self._settings.webhook_secret is not None:
            secret = self._settings.webhook_secret.get_secret_value().encode()
            headers[SIGNATURE] = signature(secret, delivery, timestamp, body)
        return headers

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[str, float | None]:
        """What went wrong (nothing: it was taken), and the least pause before another attempt; None: it is no use."""
        assert self._session is not None, "the webhook is not open"
        try:
            # A redirect would take the signed news to an address that nobody configured.
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                if response.status < 300:
                    return "", None
                given_up = response.status in _FOR_GOOD or 300 <= response.status < 400
                pause_s = _seconds(response.headers.get("retry-after", ""))
                return f"it answered {response.status}", None if given_up else pause_s
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return str(error) or type(error).__name__, 0.0

    def _failed(self, event: str, problem: str) -> None:
        self.failures += 1
        log.warning("webhook: the news '%s' was not delivered: %s", event, problem)


def _seconds(retry_after: str) -> float:
    """The pause that a receiver asks for in seconds; a date, or nothing, asks for none."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
