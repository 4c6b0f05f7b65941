"""The durable state of policies: one port, and adapters that pass one conformance suite."""

from policies.registry.opening import open_registry
from policies.registry.port import Registry
from policies.registry.sqlite import SqliteRegistry

__all__ = ["Registry", "SqliteRegistry", "open_registry"]
