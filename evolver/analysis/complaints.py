"""What speaks against answers, gathered in bounded form. All of it is recorded text: data, never instruction."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from evolver.examples import BAD_SCORE, Example

RECORDS = 100  # record ids kept in a finding
EXCERPTS = 5
EXCERPT_CHARS = 400
CORRECTIONS = 10

# The answer arrived, on time and in budget, and was still not what was asked for: words can mend that.
CONTENT_FAILURES = frozenset({"invalid_output", "invalid_tool_call", "refusal", "judged_bad"})
_SIGNS = {
    "corrected": "corrected in the next turn",
    "retried": "asked again",
    "tool_failed": "a tool that it called reported an error",
}
VALIDATORS = ("json_schema", "tool_args", "safety", "regex", "exact", "numeric")


def of_content(example: Example) -> bool:
    """Bad for what it says, not for how it was delivered."""
    if example.failed:
        return example.failure in CONTENT_FAILURES
    return example.rejected


def complaint(example: Example) -> str:
    """One line on what was wrong: class, detail, correction. Bounded."""
    parts = [example.failure or "", example.detail, example.correction or ""]
    if not any(parts):
        parts = [next((words for sign, words in _SIGNS.items() if getattr(example, sign)), "low score")]
    return cut(": ".join(part for part in parts if part))


def gather(bad: Sequence[Example]) -> dict[str, Any]:
    """Counts by failure class and validator, signals of users, and some corrections. JSON values."""
    validators = Counter(name for example in bad for name in VALIDATORS if name in example.detail)
    corrections = dict.fromkeys(cut(example.correction) for example in bad if example.correction)
    return {
        "failures": dict(Counter(example.failure for example in bad if example.failed).most_common()),
        "validators": dict(validators.most_common()),
        "corrected": sum(example.corrected or bool(example.correction) for example in bad),
        "retried": sum(example.retried for example in bad),
        "tool_errors": sum(example.tool_failed for example in bad),
        "low_scores": sum(example.score is not None and example.score < BAD_SCORE for example in bad),
        "corrections": list(corrections)[:CORRECTIONS],
    }


def excerpts(examples: Sequence[Example]) -> list[dict[str, str]]:
    """The first few, cut to a readable length."""
    return [
        {"id": one.id, "input": cut(one.request_text), "answer": cut(_said(one)), "complaint": complaint(one)}
        for one in examples[:EXCERPTS]
    ]


def _said(example: Example) -> str:
    """The answer's text, or the tools that it called."""
    calls = (example.answer or {}).get("tool_calls")
    called = [
        f"{call.get('name', '')}({call.get('arguments', '')})"
        for call in (calls if isinstance(calls, list) else ())
        if isinstance(call, dict)
    ]
    return example.answer_text or ", ".join(called)


def cut(text: str) -> str:
    """At most 400 characters, an ellipsis where something was left out."""
    return text if len(text) <= EXCERPT_CHARS else text[: EXCERPT_CHARS - 1] + "…"
