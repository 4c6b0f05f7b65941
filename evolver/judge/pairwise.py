"""Pairwise judgements: could the candidate's answer replace production's?

A win or a tie counts 1, a loss 0, orders that contradict each other one half; answers that are equal after
normalisation count 1 without a call. The judge sees neither which answer is whose nor the system text.
"""

import asyncio
import html
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

import json_repair

from evolver.agreement import normalise
from evolver.provider import Completion
from evolver.store.reads import Texts
from policies.dialects import spoken
from policies.evidence.judgement import score_of

PROMPT = "pairwise_v1"
REPLY_CHARS = 20_000  # read of a reply
MAX_CHARS = 12_000  # of the conversation and of each answer: recorded text is bounded wherever a model reads it
Winner = Literal["A", "B", "tie"]
WINNERS: tuple[Winner, ...] = get_args(Winner)
Complete = Callable[[str, dict[str, Any]], Coroutine[Any, Any, Completion]]


class JudgeError(Exception):
    """The judge gave no usable verdict: no promotion follows from it."""


@cache
def instructions(name: str = PROMPT) -> str:
    """The versioned system text."""
    return files("evolver.judge").joinpath("prompts", f"{name}.txt").read_text(encoding="utf-8").strip()


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of one pair: could the candidate's answer replace production's (1, 0.5, 0), and is it liked better (-1..1)?

    `winners` of both orders, production being A in the first; None where the answers are equal and nobody was asked.
    """

    score: float
    preference: float
    winners: tuple[Winner, Winner] | None = None


async def judge(pair: Texts, complete: Complete, model_key: str) -> Judgement:
    """Compare one pair.

    Raises:
        JudgeError: the judge did not answer, or not as asked.
    """
    production, candidate = answer_of(pair.production), answer_of(pair.candidate)
    if normalise(production) == normalise(candidate):
        return Judgement(1.0, 0.0)
    conversation = conversation_of(pair.body)
    first, second = await asyncio.gather(
        _ask(complete, model_key, conversation, production, candidate),
        _ask(complete, model_key, conversation, candidate, production),
    )
    wins = (first == "B") + (second == "A")
    losses = (first == "A") + (second == "B")
    return Judgement(score_of(first, second), (wins - losses) / 2, (first, second))


async def _ask(complete: Complete, model_key: str, conversation: str, a: str, b: str) -> Winner:
    parts = {"request": conversation, "answer_a": a, "answer_b": b}
    data = "\n".join(f"<{tag}>{html.escape(text[:MAX_CHARS], quote=False)}</{tag}>" for tag, text in parts.items())
    messages = [{"role": "system", "content": instructions()}, {"role": "user", "content": data}]
    completion = await complete(model_key, {"messages": messages, "temperature": 0.0})
    if completion.error is not None or completion.answer is None:
        raise JudgeError(f"the judge did not answer: {completion.error}")
    return winner_of(completion.answer.text)


def winner_of(text: str) -> Winner:
    """The verdict in a judge's reply.

    Raises:
        JudgeError: it holds none.
    """
    try:
        value = json_repair.loads(text[:REPLY_CHARS])
    except (ValueError, RecursionError):  # brackets nested deeper than the parser goes
        value = None
    named = value.get("winner") if isinstance(value, dict) else None
    winner = next((known for known in WINNERS if known == named), None)
    if winner is None:
        raise JudgeError(f"the judge's reply names no winner: {text[:200]!r}")
    return winner


def conversation_of(body: dict[str, Any]) -> str:
    """The request as the person put it: every message but the system text."""
    return "\n\n".join(f"{role}: {text}" for role, text in spoken(body))


def answer_of(answer: dict[str, Any]) -> str:
    """An answer as words: its text, and its tool calls as JSON."""
    calls = "\n".join(f"{c.get('name')}({c.get('arguments')})" for c in answer.get("tool_calls") or ())
    return "\n".join(part for part in (answer.get("text") or "", calls) if part)
