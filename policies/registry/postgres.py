"""The registry in a PostgreSQL database: for a fleet of machines."""

from policies.registry.families import Families
from policies.registry.postgres_connection import PostgresConnection


class PostgresRegistry(Families, PostgresConnection):
    """`policies.registry.port.Registry` on PostgreSQL; open it with `async with`."""
