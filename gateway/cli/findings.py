"""Findings read like good bug reports: what, how bad, how often, examples, what to do and was done, what is open."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.cli.common import ago
from policies.registry.values import Candidate, Finding

EXAMPLES = 3
ANSWERS = 3
_ARRIVED = frozenset({"promoted", "confirmed"})
_TEXT_CHARS = 110


def report(finding: Finding, *, now: float, answers: Sequence[Candidate] = ()) -> str:
    """One finding as text; `answers` are the candidates that it prompted."""
    lines = [f"{_rank(finding.severity)}  {finding.summary}"]
    for title, body in _sections(finding, answers, now):
        first, *others = body
        lines.append(f"  {title:<14}{first}")
        lines += [f"  {'':<14}{line}" for line in others]
    return "\n".join(lines)


def gone(findings: Sequence[Finding], now: float) -> str:
    """Those that the latest analysis did not find again, a line each."""
    lines = [f"{one.id[:8]}  {ago(one.at, now):>10}  {_rank(one.severity):<13}  {one.summary}" for one in findings]
    return "\n".join(["not found again by the latest analysis:", *(f"  {line}" for line in lines)])


def _rank(severity: float) -> str:
    word = "HIGH" if severity >= 0.5 else "MEDIUM" if severity >= 0.2 else "LOW"
    return f"[{word} {severity:.2f}]"


def _sections(finding: Finding, answers: Sequence[Candidate], now: float) -> Iterator[tuple[str, list[str]]]:
    evidence = finding.evidence
    yield "finding", [f"{finding.id[:8]}, {finding.kind}, policy {finding.policy}, {ago(finding.at, now)}"]
    happens = [
        text for text in (evidence.get("what_happens", ""), *_complaints(evidence.get("complaints", {}))) if text
    ]
    if happens:
        yield "what happens", happens
    if "n" in evidence:
        yield "how often", list(_how_often(evidence))
    if examples := list(_examples(evidence)):
        yield "for example", examples
    yield "what to do", [finding.recommendation]
    if answers:
        yield "what was done", list(_answered(answers))
    if evidence.get("not_checked"):
        yield "not checked", [evidence["not_checked"]]


def _how_often(evidence: Mapping[str, Any]) -> Iterator[str]:
    paired = evidence.get("method") == "paired_shadow"
    what = "pairs" if paired else "conversations"
    if evidence.get("method") is not None:
        yield f"{evidence['rate']:+.1%} failures{_interval(evidence.get('interval'))}, by {evidence['n']} {what}"
        yield f"by {'pairs from the shadow' if paired else 'recordings as they came, not by a randomised comparison'}"
    else:
        yield f"{evidence.get('rate', 0.0):.1%} of {evidence['n']} {what}{_interval(evidence.get('interval'))}"
    if above := evidence.get("above_the_rest"):
        yield f"{above[0]:+.1%} to {above[1]:+.1%} against all other topics (95 %)"
    if "p_value" in evidence:
        tolerated = evidence.get("tolerated")
        against = f" against {tolerated:.0%}, which would be tolerated, and the rest" if tolerated is not None else ""
        yield f"p = {evidence['p_value']:.2g}{against}; judged together with everything else that was tested"


def _answered(answers: Sequence[Candidate]) -> Iterator[str]:
    """The newest candidates, the furthest first."""
    newest = sorted(answers, key=lambda one: (one.state not in _ARRIVED, -one.created_at))
    for one in newest[:ANSWERS]:
        operator = one.lineage.operator or one.lineage.source
        yield f"{one.id[:8]} ({operator}) is {one.state.replace('_', ' ')}: {_cut(one.reason)}"
    if len(newest) > ANSWERS:
        yield f"and {len(newest) - ANSWERS} more: evogate experiments"


def _interval(interval: Any) -> str:
    return f" (95 %: {interval[0]:.1%} to {interval[1]:.1%})" if interval else ""


def _complaints(complaints: Mapping[str, Any]) -> Iterator[str]:
    counted = {**complaints.get("failures", {}), **complaints.get("validators", {})}
    signs = {name: complaints.get(name, 0) for name in ("corrected", "retried", "low_scores", "tool_errors")}
    said = [f"{name.replace('_', ' ')} {many}" for name, many in {**counted, **signs}.items() if many]
    if said:
        yield ", ".join(said)
    yield from (f'a user: "{_cut(text)}"' for text in complaints.get("corrections", [])[:1])


def _examples(evidence: Mapping[str, Any]) -> Iterator[str]:
    shown = evidence.get("excerpts", [])[:EXAMPLES]
    for one in shown:
        yield f'{one["id"]}  "{_cut(one["input"])}"'
        yield f'    answered "{_cut(one["answer"])}": {_cut(one["complaint"])}'
    if not shown:
        yield from evidence.get("records", [])[:EXAMPLES]
    more = len(evidence.get("records", [])) - EXAMPLES
    if more > 0:
        yield f"and {more} more: evogate findings --json, evogate explain ID"


def _cut(text: str) -> str:
    """One line; control characters of recorded text never reach a terminal."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    return line if len(line) <= _TEXT_CHARS else line[: _TEXT_CHARS - 1] + "…"
