"""The durable state of policies: one port, and adapters that pass one conformance suite."""
