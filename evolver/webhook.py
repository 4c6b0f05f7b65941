"""News for the operator's own systems: a signed POST, retried a few times, never in the way of anything."""

import asyncio
import hashlib
import hmac
import logging
from typing import Any, Self

import aiohttp
import orjson

from config.settings import Evolver

log = logging.getLogger(__name__)

SIGNATURE = "x-evogate-signature"
ATTEMPTS = 4
PENDING = 100  # beyond it news is dropped, said so in the log: a receiver that hangs must not fill the memory


def signature(secret: bytes, body: bytes) -> str:
    """`sha256=<hex>` of HMAC-SHA256 over the body as sent."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


class Webhook:
    """Sends in the background; `close` gives what is under way a last moment."""

    def __init__(self, settings: Evolver, *, pause_s: float = 1.0, timeout_s: float = 10.0) -> None:
        self._settings = settings
        self._pause_s = pause_s
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
        """Tell the receiver, where one is configured: `event` is promotion, rollback, incident or approval."""
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
        headers = {"content-type": "application/json"}
        if self._settings.webhook_secret is not None:
            headers[SIGNATURE] = signature(self._settings.webhook_secret.get_secret_value().encode(), body)
        problem = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(self._pause_s * 2 ** (attempt - 1))
            problem = await self._post(url, body, headers)
            if not problem:
                return
        self._failed(event, problem)

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> str:
        assert self._session is not None, "the webhook is not open"
        try:
            async with self._session.post(url, data=body, headers=headers) as response:
                return "" if response.status < 300 else f"it answered {response.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return str(error) or type(error).__name__

    def _failed(self, event: str, problem: str) -> None:
        self.failures += 1
        log.warning("webhook: the news '%s' was not delivered: %s", event, problem)
