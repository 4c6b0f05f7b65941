"""Dialects: one value per endpoint, with everything that is said differently there."""

from policies.dialects.dialect import Dialect
from policies.dialects.endpoints import CHAT, COMPLETIONS, DIALECTS, MESSAGES, RESPONSES, dialect_of
from policies.dialects.spoken import spoken

__all__ = ["CHAT", "COMPLETIONS", "DIALECTS", "MESSAGES", "RESPONSES", "Dialect", "dialect_of", "spoken"]
