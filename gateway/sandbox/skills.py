"""How a model behaves on one request: which rules it follows, whether it gets the task right.

The probability of following a rule rises from the rule's natural compliance to the model's obedience with the
strength of the statement: 1 for a clear statement, less for one that is contradicted elsewhere or diluted by an
overlong system text, part of the way for examples and for a general wish for brevity. What the user has corrected in
this conversation holds whatever the system text says.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from gateway.sandbox.models import Profile
from gateway.sandbox.rules import BARE, RULES, Reading

CONFLICT = 0.45  # strength of a rule that the same text also contradicts
BREVITY = 0.15  # strength that "be brief" lends to bare answers
DEPTH = 0.80  # what remains of it under "be thorough"
CONTRARY = 0.10  # what remains of natural compliance when the text says the opposite
UNLEARNT = 0.45  # what one worked example leaves unlearnt; two leave its square


@dataclass(frozen=True, slots=True)
class Guidance:
    """What a model has been told, for one request."""

    system: Reading
    words: int  # of the system text
    corrected: Reading  # from the user's follow-ups in this conversation
    shown: Mapping[str, int]  # rule -> worked examples and earlier answers that keep it


@dataclass(frozen=True, slots=True)
class Offer:
    """What the request offers beside the task's own text."""

    material: str  # everything the model can read: system text and user messages
    tools: Mapping[str, Mapping[str, Any]]  # name -> JSON schema of the parameters
    must_call: bool  # tool_choice demands a call
    schema: Mapping[str, Any] | None  # response_format's JSON schema; {} for JSON mode; None for text


@dataclass
class Conduct:
    """The draws for one answer."""

    profile: Profile
    guidance: Guidance
    offer: Offer
    temperature: float
    rng: Random

    def strength(self, rule: str) -> float:
        """How strongly the rule has been stated: 0 not at all, 1 clearly, -1 the opposite."""
        told, words = self.guidance.system, self.guidance.words
        if rule in self.guidance.corrected.supports:
            return 1.0
        shown = 1.0 - UNLEARNT ** self.guidance.shown.get(rule, 0)
        if rule in told.contradicts:
            return CONFLICT if rule in told.supports or shown else -1.0
        strength = 1.0 if rule in told.supports else BREVITY if rule in BARE and "brief" in told.traits else 0.0
        if rule in BARE and "thorough" in told.traits:
            strength *= DEPTH
        return max(shown, strength * dilution(words, self.profile.attention_words))

    def compliance(self, rule: str) -> float:
        """Probability of following the rule, 0 to 1."""
        natural = RULES[rule].natural * self.profile.habit
        strength = self.strength(rule)
        if strength < 0:
            return natural * CONTRARY
        return natural + (self.attention - natural) * strength

    def follows(self, rule: str) -> bool:
        """One draw: is the rule followed in this answer?"""
        return self.rng.random() < self.compliance(rule)

    @property
    def attention(self) -> float:
        """Obedience at this temperature."""
        return max(0.0, self.profile.obedience - self.profile.slip * self.temperature)

    def succeeds(self, chance: float | None = None) -> bool:
        """One draw: is the task itself done right? `chance` replaces the model's accuracy."""
        accuracy = self.profile.accuracy if chance is None else chance
        return self.rng.random() < accuracy - self.profile.slip * self.temperature / 2

    @cached_property
    def hedges(self) -> bool:
        """Discusses alternatives instead of answering."""
        told = "hedge" in self.guidance.system.traits and "hedge" not in self.guidance.corrected.traits
        return told and self.rng.random() < self.attention

    @property
    def reasons_everywhere(self) -> bool:
        """Writes its reasoning down even where nothing is to be calculated."""
        return "everywhere" in self.guidance.system.traits

    @property
    def thorough(self) -> bool:
        """Says more than needed."""
        return "thorough" in self.guidance.system.traits and "brief" not in self.guidance.system.traits


def dilution(words: int, attention_words: int) -> float:
    """What remains of a rule's strength in a system text of that many words: 1 up to the attention span, then less."""
    return math.exp(-max(0, words - attention_words) / attention_words)
