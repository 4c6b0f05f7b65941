"""Calls to models with the operator's key: replay, judge and reflection. Never with a client's credential."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import orjson

from config.section import LOOPBACK
from config.settings import Settings
from config.upstreams import Model, Upstream
from evolver.spending import Spending, ceiling
from policies.dialects import CHAT, dialect_of
from policies.genome import Genome
from policies.kinds import Address
from policies.outcome import Answer, cost
from policies.render import ModelTarget, Renderer
from policies.strategy.router import AUTO

TIMEOUT_S = 60.0
CONCURRENCY = 8
EXHAUSTED = "the day's budget (`evolver.budget`) is used up"


@dataclass(frozen=True, slots=True)
class Completion:
    """What came of one call."""

    status: int  # 0 where no answer came
    body: dict[str, Any] | None
    answer: Answer | None
    latency_ms: float
    cost_usd: float
    error: str | None  # why there is no answer

    @property
    def down(self) -> bool:
        """The upstream did not answer, or not as itself: no evidence about what was asked of it."""
        return self.status in (0, 401, 403, 429) or self.status >= 500


def target(settings: Settings, model_key: str) -> ModelTarget:
    """A model key as rendering needs it."""
    model = settings.models[model_key]
    return ModelTarget(key=model_key, upstream=model.upstream, model=model.model, params=model.params)


def model_key_of(settings: Settings, genome: Genome, body: dict[str, Any]) -> str | None:
    """The model key that serves `body` under `genome`: its own, the one the client named, or the first there is."""
    if genome.strategy.model_key not in {None, AUTO}:
        return genome.strategy.model_key
    asked = body.get("model")
    for key, model in settings.models.items():
        if asked in (key, model.model):
            return key
    return next(iter(settings.models), None)


def usable(upstream: Upstream) -> bool:
    """True where the evolver may call it: it has an operator's key, or stands on this machine and needs none."""
    return upstream.api_key is not None or (urlsplit(upstream.base_url).hostname or "") in LOOPBACK


class Provider:
    """One HTTP client for all upstreams; counts what it spends, and calls nobody beyond the day's budget.

    Without `spending` there is no such budget.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        timeout_s: float = TIMEOUT_S,
        concurrency: int = CONCURRENCY,
        spending: Spending | None = None,
    ) -> None:
        self.settings = settings
        self.spending = spending
        self.spent_usd = 0.0
        self.calls = 0
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._slots = asyncio.Semaphore(concurrency)
        self._session: aiohttp.ClientSession | None = None
        self._renderers: dict[str, Renderer] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()

    def configure(self, settings: Settings) -> None:
        """Take new settings over from the next call on."""
        self.settings = settings
        if self.spending is not None:
            self.spending.budget = settings.evolver.budget
        self._renderers.clear()

    def usable(self, model_key: str | None) -> bool:
        """True where that model (None: the first upstream) can be called with the operator's means."""
        model = self.settings.models.get(model_key) if model_key is not None else None
        name = model.upstream if model else next(iter(self.settings.upstreams), None)
        return name is not None and usable(self.settings.upstreams[name])

    async def complete(self, model_key: str, body: dict[str, Any]) -> Completion:
        """Ask a model; `body` is a chat completion request without `model`."""
        renderer = self._renderers.get(model_key)
        if renderer is None:
            renderer = self._renderers[model_key] = Renderer(Genome(), target(self.settings, model_key))
        return await self.send(renderer.render(body), model_key)

    async def send(self, rendered: bytes, model_key: str | None, path: str = CHAT.path) -> Completion:
        """Send a rendered request to the model's upstream (None: the first one), to the endpoint of that path."""
        model = self.settings.models.get(model_key) if model_key is not None else None
        name = model.upstream if model else next(iter(self.settings.upstreams), None)
        if name is None:
            return Completion(0, None, None, 0.0, 0.0, "no upstream is configured")
        async with self._slots:
            if self.spending is None:
                return await self._post(self.settings.upstreams[name], model, rendered, path)
            charge = self.spending.charge(ceiling(model, rendered))
            if charge is None:
                return Completion(0, None, None, 0.0, 0.0, EXHAUSTED)
            completion = await self._post(self.settings.upstreams[name], model, rendered, path)
            self.spending.settle(charge, completion.cost_usd)
            return completion

    async def _post(self, upstream: Upstream, model: Model | None, rendered: bytes, path: str) -> Completion:
        assert self._session is not None, "the provider is not open"
        url, headers = _address(upstream, model, path)
        self.calls += 1
        began = time.monotonic()
        try:
            async with self._session.post(
                url,
                data=rendered,
                headers=headers,
                ssl=upstream.verify_tls,
            ) as response:
                data = await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Completion(0, None, None, _ms_since(began), 0.0, str(error) or type(error).__name__)
        return self._completion(status, data, model, path, _ms_since(began))

    def _completion(self, status: int, data: bytes, model: Model | None, path: str, latency_ms: float) -> Completion:
        if status != 200:
            return Completion(status, None, None, latency_ms, 0.0, f"HTTP {status}: {data[:200]!r}")
        try:
            body = orjson.loads(data)
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, dict):
            return Completion(status, None, None, latency_ms, 0.0, "the answer is no JSON object")
        answer = dialect_of(path).read_answer(data)
        usd = _price(model, answer)
        self.spent_usd += usd
        return Completion(status, body, answer, latency_ms, usd, answer.error)


def _address(upstream: Upstream, model: Model | None, path: str) -> tuple[str, dict[str, str]]:
    """Where a request goes, and with which header fields."""
    key = upstream.api_key.get_secret_value() if upstream.api_key is not None else None
    address = Address(upstream.kind, upstream.base_url, key, upstream.api_version)
    fields = [field for field in (address.credential, address.version) if field is not None]
    headers = {"content-type": "application/json"} | {name.decode(): value.decode() for name, value in fields}
    at = address.path(path.encode(), model.model if model is not None else "").decode()
    base = urlsplit(upstream.base_url)
    return f"{base.scheme}://{base.netloc}{at}", headers


def _price(model: Model | None, answer: Answer) -> float:
    if model is None:
        return 0.0
    price = model.usd_per_mtok
    cached = price.input if price.cached_input is None else price.cached_input
    return cost(answer, price.input, cached, price.output)


def _ms_since(began: float) -> float:
    return (time.monotonic() - began) * 1000.0
