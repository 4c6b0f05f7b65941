"""POST /v1/completions: the last paragraph of a prompt is the question, whatever stands before it the system text."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway.sandbox.apis.api import Event
from gateway.sandbox.apis.chat import CHAT, DONE, FINGERPRINT, wants_usage
from gateway.sandbox.provider import Completion
from gateway.sandbox.requests import RefusedError, check_chat, envelope


class CompletionsApi:
    """See `Api`."""

    path = "/v1/completions"
    stream_error = CHAT.stream_error
    envelope = staticmethod(envelope)

    def as_chat(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Api`. One prompt a request; tokens are not read here."""
        before, _, question = _prompt(body).rpartition("\n\n")
        system = [{"role": "system", "content": before}] if before else []
        other = {name: value for name, value in body.items() if name not in ("prompt", "max_tokens", "tools")}
        chat = {
            **other,
            "messages": [*system, {"role": "user", "content": question}],
            "max_tokens": body.get("max_tokens") or 16,
        }
        check_chat(chat)
        return chat

    def whole(self, body: Mapping[str, Any], completion: Completion, created: int) -> bytes:
        """See `Api`."""
        echoed = _prompt(body) if body.get("echo") else ""
        choices = [
            {"text": echoed + _text(said), "index": index, "logprobs": None, "finish_reason": said.finish_reason}
            for index, said in enumerate(completion.said)
        ]
        value = {**_head(completion, created), "choices": choices}
        if completion.usage is not None:
            value["usage"] = completion.usage.to_json()
        return orjson.dumps(value)

    def events(self, body: Mapping[str, Any], completion: Completion, created: int) -> list[Event]:
        """See `Api`."""
        return list(_events(completion, created, include_usage=wants_usage(body)))


def _prompt(body: Mapping[str, Any]) -> str:
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise RefusedError("'prompt' must be a string or a list of one string here.", param="prompt")
    return prompt


def _text(said: Any) -> str:
    return "".join(said.tokens) or said.refusal or ""


def _head(completion: Completion, created: int) -> dict[str, Any]:
    return {
        "id": completion.id.replace("chatcmpl-", "cmpl-"),
        "object": "text_completion",
        "created": created,
        "model": completion.model,
        "system_fingerprint": FINGERPRINT,
    }


def _events(completion: Completion, created: int, *, include_usage: bool) -> Iterator[Event]:
    head = _head(completion, created) | ({"usage": None} if include_usage else {})

    def event(index: int, text: str, reason: str | None, tokens: int) -> Event:
        choice = {"text": text, "index": index, "logprobs": None, "finish_reason": reason}
        return Event(b"data: " + orjson.dumps({**head, "choices": [choice]}) + b"\n\n", tokens)

    for index, said in enumerate(completion.said):
        for token in said.tokens or ([said.refusal] if said.refusal else []):
            yield event(index, token, None, 1)
        yield event(index, "", said.finish_reason, 0)
    if include_usage and completion.usage is not None:
        last = {**head, "choices": [], "usage": completion.usage.to_json()}
        yield Event(b"data: " + orjson.dumps(last) + b"\n\n", 0)
    yield Event(DONE, 0)
