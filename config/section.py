"""What all sections of the settings share: the base class, bounded types, and the guard of listeners."""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Seconds = Positive
Port = Annotated[int, Field(ge=0, le=65_535)]

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Section(BaseModel):
    """What all sections share: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


S = TypeVar("S", bound=Section)


def guarded(section: S, host: str, token: SecretStr | None, name: str) -> S:
    """The section itself.

    Raises:
        ValueError: its listener can be reached from elsewhere, and no token is asked for.
    """
    if host not in LOOPBACK and token is None:
        raise ValueError(f"a listener on {host} can be reached from elsewhere: set `{name}: ${{SOME_VARIABLE}}`")
    return section
