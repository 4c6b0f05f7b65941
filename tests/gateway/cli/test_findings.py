"""Findings as a report: everything that a reader needs, whatever a finding holds, and nothing that harms a terminal."""

from pathlib import Path
from typing import Any

from click.testing import CliRunner

from gateway.cli import main
from gateway.cli.common import with_registry
from gateway.cli.findings import gone, report
from policies.genome import Genome, Lineage
from policies.lifecycle import State
from policies.registry import Registry
from policies.registry.values import Candidate, Finding

EVIDENCE = {
    "n": 210,
    "bad": 41,
    "rate": 0.195,
    "interval": [0.147, 0.254],
    "above_the_rest": [0.101, 0.19],
    "p_value": 1e-9,
    "records": [f"r{i}" for i in range(41)],
    "complaints": {"failures": {"invalid_output": 38}, "retried": 3, "corrections": ["positive, please"]},
    "excerpts": [
        {"id": "r0", "input": "How did \x1b[31mthis\nfeel?", "answer": "Well.", "complaint": "invalid_output"}
    ],
    "what_happens": "answers miss the request",
    "not_checked": "Which rule is at fault.",
}


def finding(**changes: Any) -> Finding:
    values: dict[str, Any] = {
        "id": "0123456789abcdef",
        "policy": "support",
        "kind": "prompt_weakness",
        "at": 1_000.0,
        "severity": 0.31,
        "summary": "41 of 210 conversations about feeling went wrong on large",
        "recommendation": "State what these answers miss.",
        "evidence": EVIDENCE,
    }
    return Finding(**(values | changes))


def candidate(name: str, state: State) -> Candidate:
    return Candidate(
        id=name,
        policy="support",
        layer="prompt",
        genome=Genome(),
        base="v1.0",
        lineage=Lineage(source="patch", operator="template:label", finding="0123456789abcdef"),
        state=state,
        state_since=1.0,
        created_at=1.0,
        reason="because",
    )


def test_it_reads_like_a_bug_report() -> None:
    text = report(finding(), now=4_600.0)
    lines = text.splitlines()
    assert lines[0] == "[MEDIUM 0.31]  41 of 210 conversations about feeling went wrong on large"
    titles = [line[2:16].strip() for line in lines[1:] if line[2] != " "]
    assert titles == ["finding", "what happens", "how often", "for example", "what to do", "not checked"]
    for part in ("1 h ago", "19.5% of 210", "14.7% to 25.4%", "invalid output 38, retried 3", "r0", "38 more"):
        assert part in text
    assert "\x1b" not in text


def test_it_says_what_was_done_the_promoted_first() -> None:
    states: tuple[State, ...] = ("promoted", "rejected", "shadow", "canary")
    tried = [candidate(f"{n:012x}", state) for n, state in enumerate(states)][::-1]
    lines = report(finding(), now=4_600.0, answers=tried).splitlines()
    (at,) = [n for n, line in enumerate(lines) if "what was done" in line]
    assert "00000000 (template:label) is promoted: because" in lines[at]
    assert "1 more" in lines[at + 3]


def test_what_was_not_found_again_takes_a_line() -> None:
    text = gone([finding(), finding(id="fedcba9876543210")], now=4_600.0)
    assert len(text.splitlines()) == 3
    assert "not found again" in text


def test_a_comparison_says_how_it_was_made() -> None:
    evidence = {"n": 200, "rate": -0.01, "interval": [-0.04, 0.02], "method": "paired_shadow", "records": ["r1"]}
    text = report(finding(evidence=evidence), now=2_000.0)
    assert "-1.0% failures (95 %: -4.0% to 2.0%), by 200 pairs" in text
    assert "recordings as they came" in report(finding(evidence=evidence | {"method": "observational"}), now=2_000.0)


def test_one_without_evidence_is_still_a_report() -> None:
    assert "what to do" in report(finding(evidence={}), now=2_000.0)


def test_the_command_tells_what_was_analysed_where_nothing_was_found(tmp_path: Path) -> None:
    async def prepare(registry: Registry) -> None:
        await registry.set_state("policies", {"names": ["support"]})

    async def analysed(registry: Registry) -> None:
        await registry.set_state("analysis:support", {"at": 1.0, "said": "7 conversations are too few"})

    async def found(registry: Registry) -> None:
        await registry.add_findings([finding()])

    async def again(registry: Registry) -> None:
        await registry.set_state("analysis:support", {"at": 2_000.0, "said": "nothing"})

    (tmp_path / "registry.db").touch()
    for step, part in (
        (prepare, "none yet"),
        (analysed, "7 conversations are too few"),
        (found, "[MEDIUM 0.31]"),
        (again, "not found again"),
    ):
        with_registry(tmp_path, step)
        said = CliRunner().invoke(main, ["findings", "--home", str(tmp_path)])
        assert (said.exit_code, part in said.output) == (0, True), said.output
