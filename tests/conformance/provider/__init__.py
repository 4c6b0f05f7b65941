"""A provider that speaks every endpoint's wire format, in few words."""

from tests.conformance.provider.provider import Provider

__all__ = ["Provider"]
