"""Outcomes: from a provider's bytes to an answer, and from what was observed to a failure class."""

from policies.outcome.answer import Answer
from policies.outcome.chat import read_answer
from policies.outcome.chat_stream import ChatStream
from policies.outcome.classes import OUTSIDE, UNION, FailureClass
from policies.outcome.classify import Observed, Verdict, classify
from policies.outcome.cost import cost
from policies.outcome.events import EventReader
from policies.outcome.refusal import refusal_of

__all__ = [
    "OUTSIDE",
    "UNION",
    "Answer",
    "ChatStream",
    "EventReader",
    "FailureClass",
    "Observed",
    "Verdict",
    "classify",
    "cost",
    "read_answer",
    "refusal_of",
]
