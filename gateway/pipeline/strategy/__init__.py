"""Serving a request by several calls: coordinators, which carry out what `policies.strategy` decides."""
