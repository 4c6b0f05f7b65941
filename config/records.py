"""Settings of what is kept: recordings in the spool, and versions with their evidence in the registry."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from config.section import Seconds, Section, Share


class Recording(Section):
    """The spool. `kill_safe` survives the death of the process, `power_safe` that of the machine, too.

    A worker's recordings take at most `retain_bytes`; the oldest go first. Those older than `retain_s` go once the
    evolver has read them.
    """

    level: Literal["kill_safe", "power_safe"] = "kill_safe"
    segment_bytes: int = Field(default=67_108_864, ge=4096)
    compress: bool = True
    retain_bytes: int | None = Field(default=10_737_418_240, ge=4096)
    retain_s: Seconds | None = 2_592_000.0
    bodies: bool = True
    body_sample: Share = 1.0  # of conversations; outcomes are always recorded
    redact: tuple[str, ...] = ()


class Registry(Section):
    """Where versions, candidates and evidence are kept. Counts from the next start on.

    Without `url` in `registry.db` of the data folder. A fleet's machines share a PostgreSQL database, such as
    postgresql://evogate:${PGPASSWORD}@db.example/evogate; `node` is this one's name among them, by default its host's.
    A gateway that starts while it is away serves what it last saw of it, and joins when it is back.
    """

    url: SecretStr | None = None
    node: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]{1,63}$")

    @field_validator("url")
    @classmethod
    def _is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("write a URL such as postgresql://user@host/database, or leave it out for a local file")
        return value

    @property
    def database(self) -> str | None:
        """The URL with its password, for `open_registry`; None: the file in the data folder."""
        return self.url.get_secret_value() if self.url is not None else None
