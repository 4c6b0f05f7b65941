"""Outcomes: from a provider's bytes to an answer, and from what was observed to a failure class."""

from policies.outcome.answer import Answer, read_answer
from policies.outcome.classes import OUTSIDE, UNION, FailureClass
from policies.outcome.classify import Observed, Verdict, classify
from policies.outcome.cost import cost
from policies.outcome.refusal import refusal_of
from policies.outcome.stream import StreamReader

__all__ = [
    "OUTSIDE",
    "UNION",
    "Answer",
    "FailureClass",
    "Observed",
    "StreamReader",
    "Verdict",
    "classify",
    "cost",
    "read_answer",
    "refusal_of",
]
