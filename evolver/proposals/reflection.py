"""Patches from a reflection model: it reads failures (and successes beside them) as data and proposes rules.

The model may answer anything; what is not a patch is ignored, and the reason is kept.
"""

import asyncio
import html
import math
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import json_repair

from evolver.analysis.complaints import complaint
from evolver.examples import Example
from evolver.proposals.values import MAX_TEXT, AddRule, DeleteRule, Edit, Idea, ReplaceRule
from evolver.provider import Completion
from policies.errors import ProviderError
from policies.genome import Genome
from policies.lint import lint_text

PROMPT = "reflection_v1"
TIMEOUT_S = 90.0
GROUPS = 3  # calls for one finding at most
FAILURES = 6  # shown in one call
SUCCESSES = 3
TEXT_CHARS = 1_500  # of each recorded text shown
REPLY_CHARS = 20_000  # read of a reply
PATCHES = 5  # taken of a reply
EXPLANATION_CHARS = 300
REACH, PROMISE = 0.7, 0.5  # the model names no share; it saw a sample of the failures

Complete = Callable[[str, dict[str, Any]], Coroutine[Any, Any, Completion]]


@dataclass(frozen=True, slots=True)
class Reflection:
    """What came of the calls for one finding."""

    ideas: list[Idea] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)  # one sentence each


@cache
def instructions(name: str = PROMPT) -> str:
    """The versioned system text."""
    return files("evolver.proposals").joinpath("prompts", f"{name}.txt").read_text(encoding="utf-8").strip()


async def reflect(
    production: Genome, bad: Sequence[Example], good: Sequence[Example], complete: Complete, model_key: str
) -> Reflection:
    """Ask once per group of failures (the square root of their number, at most 3) and gather the patches."""
    groups = min(GROUPS, max(1, math.isqrt(len(bad))))
    texts = [_user_text(production, bad[i::groups][:FAILURES], good[i::groups][:SUCCESSES]) for i in range(groups)]
    parts = await asyncio.gather(*(_ask(production, text, complete, model_key) for text in texts))
    return Reflection([i for part in parts for i in part.ideas], [i for part in parts for i in part.ignored])


async def _ask(production: Genome, text: str, complete: Complete, model_key: str) -> Reflection:
    messages = [{"role": "system", "content": instructions()}, {"role": "user", "content": text}]
    try:
        async with asyncio.timeout(TIMEOUT_S):
            completion = await complete(model_key, {"messages": messages})
    except (TimeoutError, ProviderError, OSError) as error:
        return Reflection(ignored=[f"The reflection model did not answer: {str(error) or type(error).__name__}."])
    if completion.error is not None or completion.answer is None:
        return Reflection(ignored=[f"The reflection model did not answer: {completion.error}."])
    return parse(production, completion.answer.text or "")


def _user_text(production: Genome, bad: Sequence[Example], good: Sequence[Example]) -> str:
    rules = "".join(f'<rule id="{rule.id}">{_data(rule.text)}</rule>\n' for rule in production.prompt.rubric)
    parts = [
        f"<current_rules>\n{rules}</current_rules>",
        f"<failures>\n{''.join(_example(one, complaint(one)) for one in bad)}</failures>",
    ]
    if good:
        parts.append(f"<successes>\n{''.join(_example(one, '') for one in good)}</successes>")
    return "\n".join(parts)


def _example(example: Example, wrong: str) -> str:
    texts = {"input": example.request_text, "answer": example.answer_text} | ({"complaint": wrong} if wrong else {})
    body = "".join(f"<{tag}>{_data(text)}</{tag}>" for tag, text in texts.items())
    return f"<example>{body}</example>\n"


def _data(text: str) -> str:
    return html.escape(text[:TEXT_CHARS], quote=False)


def parse(production: Genome, reply: str) -> Reflection:
    """The usable patches of a reply, and why the rest is not."""
    try:
        value = json_repair.loads(reply[:REPLY_CHARS])
    except (ValueError, RecursionError):  # brackets nested deeper than the parser goes
        value = None
    patches = value.get("patches") if isinstance(value, dict) else value
    if not isinstance(patches, list) or not patches:
        return Reflection(ignored=["The reflection model's reply holds no patches."])
    result = Reflection()
    for patch in patches[:PATCHES]:
        edit = _edit(production, patch) if isinstance(patch, dict) else "it is no object"
        if isinstance(edit, str):
            result.ignored.append(f"A patch of the reflection model was ignored: {edit}.")
        else:
            why = " ".join(str(patch.get("explanation") or "").split())[:EXPLANATION_CHARS]
            result.ideas.append(Idea(edit, f"reflection:{PROMPT}", why, REACH, PROMISE))
    return result


def _edit(production: Genome, patch: dict[str, Any]) -> Edit | str:
    """The edit that a patch describes, or what is wrong with it."""
    op, rule_id = patch.get("op"), patch.get("rule_id")
    if op not in ("add", "replace", "delete"):
        return "its op is none of add, replace, delete"
    if op != "add" and all(rule_id != rule.id for rule in production.prompt.rubric):
        return "it names no current rule"
    if op == "delete":
        return DeleteRule(str(rule_id))
    text = _rule_text(patch.get("text"))
    if text is None:
        return f"its text is missing, longer than {MAX_TEXT} characters, or holds markup"
    if faults := lint_text(text):
        return f"its text {faults[0]}"
    return AddRule(text) if op == "add" else ReplaceRule(str(rule_id), text)


def _rule_text(value: Any) -> str | None:
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return text if 0 < len(text) <= MAX_TEXT and "</" not in text else None
