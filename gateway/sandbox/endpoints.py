"""The endpoints: those that answer with text, embeddings, models, and the sandbox's own."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
from aiohttp import web

from gateway.sandbox import sending
from gateway.sandbox.apis import CHAT, Api, apis
from gateway.sandbox.embeddings import DIMENSIONS, embed, encode
from gateway.sandbox.faults import MESSAGES, Fault, Schedule, alter
from gateway.sandbox.limits import RateLimit
from gateway.sandbox.models import ALL_MODELS, CREATED
from gateway.sandbox.provider import Asked, Completion, Provider
from gateway.sandbox.requests import RefusedError, check_embeddings, parse_json, unknown_model
from gateway.sandbox.usage import input_tokens

_SLOW_S = 2.0
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Sandbox:
    """What the endpoints share."""

    provider: Provider
    schedule: Schedule
    limit: RateLimit | None = None
    served: Counter[str] = field(default_factory=Counter)  # requests by model
    faults: Counter[str] = field(default_factory=Counter)  # faults by kind
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    apis: tuple[Api, ...] = field(default_factory=apis)

    def routes(self) -> list[web.RouteDef]:
        """All endpoints; whatever is none of them gets OpenAI's 404."""
        return [
            *(web.post(api.path, partial(self.text, api)) for api in self.apis),
            web.post("/v1/embeddings", self.embeddings),
            web.get("/v1/models", self.models),
            web.get("/v1/models/{id}", self.models),
            web.post("/sandbox/faults", self.set_faults),
            web.get("/sandbox/stats", self.stats),
            web.route("*", "/{tail:.*}", not_found),
        ]

    async def text(self, api: Api, request: web.Request) -> web.StreamResponse:
        """POST to an endpoint that answers with text."""
        began = time.perf_counter()
        body = parse_json(await request.read())
        asked = self.provider.understand(api.as_chat(body))
        fault = self._fault(request, asked)
        self.served[body["model"]] += 1
        if fault is not None:
            self.faults[fault.kind] += 1
            if (early := await self._instead(fault, api)) is not None:
                return early
        if (status := self.provider.fails(asked)) is not None:
            return error(status, api=api)
        completion = self.provider.complete(asked)
        if fault is not None:
            alter(completion, fault)
        headers = self._headers(completion.id, began)
        if body.get("stream"):
            events = api.events(body, completion, int(time.time()))
            return await sending.stream(
                request,
                sending.broken_events(events, fault, api.stream_error) if fault is not None else events,
                headers,
                first_token_s=completion.first_token_s,
                token_s=completion.token_s,
                fault=fault,
            )
        return await _whole(api, api.whole(body, completion, int(time.time())), completion, headers, fault)

    def _fault(self, request: web.Request, asked: Asked) -> Fault | None:
        if (wanted := request.headers.get("x-sandbox-fault")) is not None:
            return Fault.parse(wanted)
        if not self.schedule.windows:
            return None
        return self.schedule.choose(asked.body["model"], asyncio.get_running_loop().time(), asked.uniform("fault"))

    async def _instead(self, fault: Fault, api: Api) -> web.StreamResponse | None:
        """What is sent instead of an answer, after what is waited for; None where an answer follows."""
        if fault.kind == "timeout":
            await self.closing.wait()
            return sending.Broken(b"")
        if fault.kind == "reset":
            return sending.Broken(b"")
        if fault.kind == "slow_first_byte":
            await asyncio.sleep(_SLOW_S if fault.argument is None else fault.argument)
        if fault.kind == "html":
            return web.Response(status=502, body=_HTML, content_type="text/html")
        return error(fault.status, retry_after_s=fault.argument, api=api) if fault.status else None

    def _headers(self, name: str, began: float) -> dict[str, str]:
        return {
            "x-request-id": f"req_{name[9:25]}",
            "openai-processing-ms": f"{(time.perf_counter() - began) * 1000.0:.0f}",
            "x-sandbox-world": self.provider.world.world_hash,
        }

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/embeddings."""
        body = parse_json(await request.read())
        check_embeddings(body)
        given = body["input"]
        texts = given if isinstance(given, list) and isinstance(given[0], str | list) else [given]
        size = body.get("dimensions") or DIMENSIONS
        vectors = [encode(embed(str(text), size), body.get("encoding_format")) for text in texts]
        self.served[body["model"]] += 1
        tokens = sum(input_tokens(str(text)) for text in texts)
        data = [{"object": "embedding", "index": place, "embedding": v} for place, v in enumerate(vectors)]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return answer({"object": "list", "data": data, "model": body["model"], "usage": usage})

    async def models(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/models and /v1/models/{id}."""
        wanted = request.match_info.get("id")
        if wanted is None:
            return answer({"object": "list", "data": [_model(name) for name in ALL_MODELS]})
        if wanted not in ALL_MODELS:
            raise unknown_model(wanted)
        return answer(_model(wanted))

    async def set_faults(self, request: web.Request) -> web.StreamResponse:
        """POST /sandbox/faults: a new schedule (a JSON list of windows), counted from now."""
        windows = orjson.loads(await request.read())
        if not isinstance(windows, list):
            raise RefusedError("A schedule is a list of windows.", param="faults")
        self.schedule = Schedule.parse(windows, asyncio.get_running_loop().time())
        return answer({"windows": len(windows)})

    async def stats(self, _request: web.Request) -> web.StreamResponse:
        """GET /sandbox/stats: the world's name, and what was served since the start."""
        world = self.provider.world
        return answer(
            {"seed": world.seed, "world_hash": world.world_hash, "requests": self.served, "faults": self.faults}
        )

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Credentials and rate limits before a request, envelopes for everything refused."""
        credential = request.headers.get("authorization") or request.headers.get("x-api-key") or ""
        api = next((api for api in self.apis if api.path == request.path), CHAT)
        if "invalid" in credential:
            return error(401, code="invalid_api_key", api=api)
        headers: dict[str, str] = {}
        if self.limit is not None and request.method == "POST":
            wait_s, headers = self.limit.take(credential, asyncio.get_running_loop().time())
            if wait_s:
                return error(429, retry_after_s=wait_s, headers=headers, api=api)
        try:
            response = await handler(request)
        except RefusedError as refused:
            body = api.envelope(str(refused), status=refused.status, param=refused.param, code=refused.code)
            return web.Response(status=refused.status, body=body, headers={**headers, **sending.JSON})
        except orjson.JSONDecodeError as problem:
            return error(400, message=f"We could not parse the JSON body of your request: {problem}.", api=api)
        if not response.prepared:
            response.headers.update(headers)
        return response


async def _whole(
    api: Api, body: bytes, completion: Completion, headers: Mapping[str, str], fault: Fault | None
) -> web.StreamResponse:
    pause_s = (fault.argument or _SLOW_S) if fault is not None and fault.kind == "slow_stream" else 0.0
    if delay_s := completion.delay_s + pause_s:
        await asyncio.sleep(delay_s)
    return sending.whole(body, headers, fault, api.envelope(sending.FAILED, status=500))


async def not_found(request: web.Request) -> web.StreamResponse:
    """Everything that OpenAI has and the sandbox has not."""
    return error(404, message=f"Invalid URL ({request.method} {request.path})", code="unknown_url")


def answer(value: object) -> web.Response:
    """A JSON answer."""
    return web.Response(body=orjson.dumps(value), headers=sending.JSON)


def error(
    status: int,
    *,
    message: str | None = None,
    code: str | None = None,
    retry_after_s: float | None = None,
    headers: Mapping[str, str] | None = None,
    api: Api = CHAT,
) -> web.Response:
    """An error envelope; 429 and 503 say when to come back."""
    text = message or MESSAGES.get(status, f"Status {status} (sandbox fault).")
    named = code or {429: "rate_limit_exceeded", 401: "invalid_api_key"}.get(status)
    extra = dict(headers or {})
    if status in (429, 503):
        seconds = 1.0 if retry_after_s is None else retry_after_s
        extra |= {"retry-after": f"{seconds:.3f}".rstrip("0").rstrip("."), "retry-after-ms": f"{seconds * 1000.0:.0f}"}
    return web.Response(
        status=status, body=api.envelope(text, status=status, code=named), headers={**extra, **sending.JSON}
    )


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "sandbox"}
