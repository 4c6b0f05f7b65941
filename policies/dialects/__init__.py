"""Dialects: one value per endpoint, with everything that is said differently there."""

from policies.dialects.dialect import CHAT, Dialect, dialect_of

__all__ = ["CHAT", "Dialect", "dialect_of"]
