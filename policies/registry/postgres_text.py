"""Texts as PostgreSQL takes them: it knows no NUL, which models and clients do send.

A NUL is stored as SUBSTITUTE and `0`, a SUBSTITUTE as itself and `1`: any text comes back as it was.
"""

from psycopg import AsyncConnection
from psycopg.abc import Buffer
from psycopg.types.string import StrDumperUnknown, TextLoader

_MARK = "\x1a"


class _Dumper(StrDumperUnknown):
    def dump(self, obj: str) -> Buffer | None:
        return super().dump(escaped(obj))


class _Loader(TextLoader):
    def load(self, data: Buffer) -> bytes | str:
        text = super().load(data)
        assert isinstance(text, str), "the client's encoding is UTF-8"
        return unescaped(text)


def adapt(connection: AsyncConnection[object]) -> None:
    """Let a connection write and read such texts."""
    connection.adapters.register_dumper(str, _Dumper)
    connection.adapters.register_loader("text", _Loader)


def escaped(text: str) -> str:
    """The text without NUL."""
    if "\0" not in text and _MARK not in text:
        return text
    return text.replace(_MARK, f"{_MARK}1").replace("\0", f"{_MARK}0")


def unescaped(text: str) -> str:
    """What `escaped` was given."""
    return text.replace(f"{_MARK}0", "\0").replace(f"{_MARK}1", _MARK) if _MARK in text else text
