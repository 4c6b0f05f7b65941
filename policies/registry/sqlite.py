"""The registry in one SQLite file: for one machine, shared by its gateway workers, evolver and command line."""

from policies.registry.families import Families
from policies.registry.sqlite_connection import SqliteConnection


class SqliteRegistry(Families, SqliteConnection):
    """`policies.registry.port.Registry` on SQLite; open it with `async with`."""
