"""A covered request that has ended, as telemetry needs it: plain values, which hold nothing of the request alive."""

from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from gateway.telemetry import names
from gateway.telemetry.context import Context
from policies.kinds import Kind

PAYLOAD_BYTES = 16_384  # of longer requests no parameters are shown: a queue must not hold megabytes

Value = str | int | float | list[str]


class Ended(NamedTuple):
    """Times in Unix seconds. `payload` is what went up, empty where it is too long to be kept."""

    context: Context
    request_id: str
    policy: str
    genome: str
    version: str
    unit: str
    path: str
    kind: Kind  # of the upstream
    base_url: str
    model: str  # as asked of the upstream
    payload: bytes
    response_id: str
    response_model: str
    finish_reason: str | None
    tokens: tuple[int, int] | None  # in and out; None where the provider did not say
    failure: str | None
    began: float
    ended: float

    @property
    def operation(self) -> str:
        """What it did, in the conventions' words."""
        return names.operation(self.path)

    def shared(self) -> dict[str, Value]:
        """Attributes of spans and metrics: of few values each."""
        url = urlsplit(self.base_url)
        found: dict[str, Value] = {
            names.OPERATION: self.operation,
            names.PROVIDER: names.PROVIDERS[self.kind],
            names.REQUEST_MODEL: self.model,
            names.SERVER_ADDRESS: url.hostname or "",
            names.SERVER_PORT: url.port or (443 if url.scheme == "https" else 80),
            names.POLICY: self.policy,
        }
        if self.response_model:
            found[names.RESPONSE_MODEL] = self.response_model
        if self.failure is not None:
            found[names.ERROR] = self.failure
        return found

    def attributes(self) -> dict[str, Value]:
        """All attributes of its span. None of them is text of the conversation."""
        found: dict[str, Value] = {
            **self.shared(),
            names.GENOME: self.genome,
            names.VERSION: self.version,
            names.REQUEST_ID: self.request_id,
            names.CONVERSATION: self.unit,
        }
        if self.response_id:
            found[names.RESPONSE_ID] = self.response_id
        if self.finish_reason is not None:
            found[names.FINISH_REASONS] = [self.finish_reason]
        if self.tokens is not None:
            found[names.INPUT_TOKENS], found[names.OUTPUT_TOKENS] = self.tokens
        return found | parameters(self.payload)


def parameters(payload: bytes) -> dict[str, Value]:
    """A request's parameters as attributes; those of an unexpected type are left out."""
    try:
        body = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(body, dict):
        return {}
    found: dict[str, Value] = {}
    for word, (name, types) in names.PARAMETERS.items():
        value: Any = body.get(word)
        if type(value) in types:
            found[name] = value
    stops = body.get("stop", body.get("stop_sequences"))
    stops = [stops] if isinstance(stops, str) else stops
    if isinstance(stops, list) and stops and all(isinstance(stop, str) for stop in stops):
        found[names.STOPS] = stops
    return found
