"""Settings of providers: where they are, and which models they have at what price."""

import re
from typing import Any

from pydantic import Field, SecretStr, field_validator, model_validator

from config.proxies import is_http_proxy
from config.section import Positive, Seconds, Section, Share
from policies.kinds import Kind
from policies.resilience.places import MOST
from policies.resilience.rules import HealthRules


class Upstream(Section):
    """A provider. Without `api_key` the client's own credential goes through.

    `kind` says how it wants its key and what its paths look like (policies/kinds.py); `api_version` is Azure's, or the
    `anthropic-version` of requests that bring none. Beyond `max_concurrency` (none: no limit) `queue` requests wait
    for at most `queue_timeout_s`.
    """

    base_url: str
    kind: Kind = "openai"
    api_version: str | None = Field(default=None, pattern=r"^[0-9A-Za-z.-]+$")
    api_key: SecretStr | None = None
    max_concurrency: int | None = Field(default=None, ge=1)
    queue: int = Field(default=64, ge=0)
    queue_timeout_s: Seconds = 5.0
    health: HealthRules = HealthRules()
    connect_timeout_s: Seconds = 10.0
    first_byte_timeout_s: Seconds = 60.0
    idle_timeout_s: Seconds = 60.0
    total_timeout_s: Seconds = 600.0
    max_connections: int = Field(default=10_000, ge=1)  # a stream holds one: as many as clients, `limits.connections`
    max_connection_age_s: Seconds = 300.0  # then the name is resolved anew
    proxy: SecretStr | None = None  # where it is not mentioned: what HTTPS_PROXY and its kin say
    verify_tls: bool = True
    ca_file: str | None = None

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not re.match(r"https?://[^/\s]+", value):
            raise ValueError(f"'{value}' is no base URL; write one such as https://api.openai.com/v1")
        return value.rstrip("/")

    @field_validator("proxy")
    @classmethod
    def _is_http_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not is_http_proxy(value.get_secret_value()):
            raise ValueError("write an HTTP proxy such as http://proxy.example:3128; others are not supported")
        return value

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Upstream":
        if self.kind == "openai" and self.api_version is not None:
            raise ValueError("api_version belongs to `kind: azure` or `kind: anthropic`; name the kind or leave it out")
        if self.kind != "azure" and "{model}" in self.base_url:
            raise ValueError("{model} in base_url is a deployment of `kind: azure`; name the kind or leave it out")
        return self


class Price(Section):
    """US dollars per million tokens; `cached_input` defaults to `input`."""

    input: float = Field(default=0.0, ge=0.0)
    cached_input: float | None = Field(default=None, ge=0.0)
    output: float = Field(default=0.0, ge=0.0)


class Model(Section):
    """A model key: what the provider calls it, what it costs, which parameters it takes under which name.

    `params` maps an OpenAI parameter to this model's name for it, or to null where it is not accepted. Upstreams that
    all know the model by this name can share it by weight: `upstreams: {openai: 3, azure: 1}` instead of `upstream`.
    """

    upstream: str = ""  # the first of `upstreams` where those are given
    upstreams: dict[str, Positive] = Field(default_factory=dict, max_length=MOST)
    model: str
    usd_per_mtok: Price = Price()
    params: dict[str, str | None] = Field(default_factory=dict)
    capability: Share | None = None  # how able it is; a model that has one may be chosen by `model_key: auto`
    context_tokens: int | None = Field(default=None, ge=1)  # the router sends no request that is longer
    tools: bool = True  # nor one with tools where it takes none

    @model_validator(mode="before")
    @classmethod
    def _one_or_several(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        one, several = values.get("upstream"), values.get("upstreams")
        first = next(iter(several)) if isinstance(several, dict) and several else None
        if not (one or several) or (one and several and one != first):
            raise ValueError("needs either `upstream: NAME` or `upstreams: {NAME: weight, ...}`")
        return {**values, "upstream": first} if first else values

    @property
    def places(self) -> dict[str, float]:
        """Weight by upstream."""
        return self.upstreams or {self.upstream: 1.0}
