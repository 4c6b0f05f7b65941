"""Settings of the data plane: its listeners and limits, the model that it asks for embeddings, its telemetry."""

from pydantic import Field, SecretStr, model_validator

from config.section import Port, Seconds, Section, Share, guarded


class Limits(Section):
    """What the data plane accepts."""

    header_bytes: int = Field(default=32_768, ge=1024)
    body_bytes: int = Field(default=33_554_432, ge=1024)  # of what is read before it is sent on
    upload_bytes: int = Field(default=1_073_741_824, ge=1024)  # of what no policy covers, sent on as it arrives
    connections: int = Field(default=10_000, ge=1)
    feedback_per_minute: int = Field(default=60_000, ge=1)  # of one credential, to a worker
    feedback_share: float = Field(default=1.0, gt=0.0, le=1.0)  # of a policy's answers that one credential may judge
    header_timeout_s: Seconds = 30.0
    keepalive_s: Seconds = 75.0
    tunnel_idle_s: Seconds = 300.0  # of WebSockets and their like
    drain_s: Seconds = 30.0


class Gateway(Section):
    """The data plane and its admin listener. An admin listener other than loopback needs a token."""

    host: str = "127.0.0.1"
    port: Port = 8800
    workers: int = Field(default=1, ge=1, le=64)  # processes on that port; counts from the next start on
    admin_host: str = "127.0.0.1"
    admin_port: Port = 8801
    hang_s: Seconds = 30.0  # one of several workers whose loop answers nothing for so long is killed and started again
    poll_s: Seconds = 1.0
    idle_unit_s: Seconds = 1800.0
    comment_every_s: Seconds = 5.0  # to a client that streams, while a strategy holds its answer back
    mirror_concurrency: int = Field(default=64, ge=0)
    limits: Limits = Limits()
    admin_token: SecretStr | None = None

    @model_validator(mode="after")
    def _open_listener_has_token(self) -> "Gateway":
        return guarded(self, self.admin_host, self.admin_token, "admin_token")


class Embeddings(Section):
    """The model that genes ask for embeddings: `embedding_weight` of memories, `agreement: embedding` of strategies.

    What no gene asks for is never sent there. An embedding that does not come within `timeout_s` is done without: words
    alone decide, and it is counted.
    """

    model_key: str | None = None
    dimensions: int | None = Field(default=None, ge=8, le=4_096)  # asked of the model; none: as many as it gives
    timeout_s: Seconds = 1.0
    concurrency: int = Field(default=32, ge=1, le=1_024)  # calls of a worker at a time
    remembered: int = Field(default=4_096, ge=1)  # texts whose embedding a worker need not ask for again
    most_entries: int = Field(default=20_000, ge=1, le=200_000)  # larger memories are searched by words alone


class Telemetry(Section):
    """Traces and metrics by OpenTelemetry's GenAI conventions, as protobuf over HTTP. Counts from the next start on.

    `endpoint` is the collector's address, such as http://localhost:4318; none: off. `sample` is the share of traces
    that begin here to be sent; a client's own `traceparent` decides for itself, and metrics count every request.
    """

    endpoint: str | None = Field(default=None, pattern=r"^https?://[^/\s]+")
    headers: dict[str, SecretStr] = Field(default_factory=dict)  # sent with each export, such as a key
    sample: Share = 1.0
