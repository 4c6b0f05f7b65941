"""The durable state of policies: one port, and adapters that pass one conformance suite."""

from policies.registry.port import Registry
from policies.registry.sqlite import SqliteRegistry, open_registry

__all__ = ["Registry", "SqliteRegistry", "open_registry"]
