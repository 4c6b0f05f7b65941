"""Dialects: one value per endpoint, with everything that is said differently there."""

from policies.dialects.dialect import Dialect
from policies.dialects.endpoints import CHAT, COMPLETIONS, DIALECTS, MESSAGES, RESPONSES, dialect_of

__all__ = ["CHAT", "COMPLETIONS", "DIALECTS", "MESSAGES", "RESPONSES", "Dialect", "dialect_of"]
