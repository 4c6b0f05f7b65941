"""Planted trouble is found and described; clean recordings give no finding, but for the share that was agreed."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from scipy import stats

from evolver.analysis import KINDS, Shadowed, Thresholds, analyze
from evolver.analysis.shadowed import sufficing
from evolver.analysis.summary import summary
from evolver.examples import Example
from policies.registry.values import Finding
from tests.evolver.analysis.worlds import TOPICS, example, failing, fails, recordings


def findings_of(examples: list[Example], seed: int = 0) -> list[Finding]:
    return analyze(examples, policy="p", now=1e9, rng=np.random.default_rng(seed))


def test_a_failing_topic_is_found_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    examples = recordings(rng, 600, fails(failing(0.01) | {"mood": 0.4}))
    (finding,) = findings_of(examples)
    evidence = finding.evidence
    assert finding.kind == "prompt_weakness"
    assert set(evidence["terms"][:4]) <= set(TOPICS["mood"])
    assert evidence["interval"][0] < evidence["rate"] < evidence["interval"][1]
    assert evidence["interval"][0] < 0.4 < evidence["interval"][1]
    assert evidence["n"] >= 20
    assert set(evidence["records"]) <= {one.id for one in examples if one.bad}
    assert set(evidence["contrast"]) <= {one.id for one in examples if not one.bad}
    assert evidence["complaints"]["failures"] == {"invalid_output": evidence["bad"]}
    assert 0 < finding.severity <= 1
    assert finding.kind in KINDS
    json.dumps(evidence)


def test_failures_of_delivery_are_no_prompt_weakness() -> None:
    examples = recordings(np.random.default_rng(1), 400, fails(failing(0.0) | {"sums": 0.4}, "server_error"))
    assert [finding.kind for finding in findings_of(examples)] == ["repeated_failures"]


def test_failures_everywhere_are_found_without_a_contrast() -> None:
    findings = findings_of(recordings(np.random.default_rng(2), 400, fails(failing(0.3))))
    assert {finding.kind for finding in findings} == {"prompt_weakness"}
    assert len(findings) == len(TOPICS)


def test_complaints_are_gathered_and_bounded() -> None:
    def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
        if topic != "mood" or number % 2:
            return {}
        return {"corrected": True, "correction": f"positive {number}" + "x" * 5000, "detail": "json_schema: no"}

    (finding,) = findings_of(recordings(np.random.default_rng(3), 400, plant))
    complaints = finding.evidence["complaints"]
    assert complaints["corrected"] == finding.evidence["bad"]
    assert complaints["validators"] == {"json_schema": finding.evidence["bad"]}
    assert all(len(text) <= 400 for text in complaints["corrections"])
    assert len(finding.evidence["excerpts"]) <= 5
    assert len(json.dumps(finding.evidence)) < 20_000


def test_turns_of_one_conversation_count_once() -> None:
    # One unhappy conversation of 60 turns among 60 good ones is one conversation, not 60 failures.
    unhappy = [example(i, "hello there", unit="u", failure="judged_bad") for i in range(60)]
    good = [example(100 + i, "hello there") for i in range(60)]
    assert findings_of(unhappy + good) == []


def test_too_few_conversations_give_nothing() -> None:
    assert findings_of([example(i, failure="refusal") for i in range(19)]) == []


def test_what_says_nothing_about_the_genome_is_left_out() -> None:
    examples = [example(i, failure="rate_limited" if i % 2 else None) for i in range(200)]
    assert findings_of(examples) == []


def test_other_policies_are_left_out() -> None:
    assert findings_of([example(i, policy="other", failure="refusal") for i in range(100)]) == []


def test_slow_topics_are_found() -> None:
    def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
        return {"latency_ms": 9000.0} if topic == "weather" and rng.random() < 0.3 else {}

    (finding,) = findings_of(recordings(np.random.default_rng(4), 600, plant))
    assert finding.kind == "latency_outliers"
    assert set(finding.evidence["terms"][:4]) <= set(TOPICS["weather"])


@pytest.mark.parametrize("since", [300, 500])
def test_a_model_that_becomes_slower_is_found(since: int) -> None:
    def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
        return {"latency_ms": float((1600 if number >= since else 800) * np.exp(0.4 * rng.normal()))}

    kinds = {finding.kind: finding for finding in findings_of(recordings(np.random.default_rng(5), 600, plant))}
    assert kinds["degrading_model"].evidence["measure"] in ("p50", "p90")
    assert kinds["degrading_model"].evidence["model"] == "large"


def test_a_model_and_a_tool_that_fail_more_are_found() -> None:
    def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
        calls = [{"id": "c", "name": "lookup", "arguments": "{}"}] if topic == "weather" else []
        broken = bool(calls) and number >= 400 and rng.random() < 0.6
        answer = {"text": "", "tool_calls": calls, "finish_reason": "tool_calls"}
        return {"answer": answer, "failure": "invalid_tool_call" if broken else None}

    findings = findings_of(recordings(np.random.default_rng(6), 600, plant))
    tool = next(finding for finding in findings if finding.kind == "degrading_tool")
    assert tool.evidence["tool"] == "lookup"
    assert tool.evidence["measure"] == "failures"
    assert tool.evidence["since"] >= 280


def test_a_cheaper_model_is_named_only_where_both_served() -> None:
    def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
        small = rng.random() < 0.5
        return {"model": "small" if small else "large", "cost_usd": 0.0002 if small else 0.002}

    both = recordings(np.random.default_rng(7), 800, plant)
    (finding,) = findings_of(both)
    assert (finding.kind, finding.evidence["model"], finding.evidence["cheaper"]) == ("cheaper_model", "large", "small")
    assert finding.evidence["saving"] == pytest.approx(0.9, abs=0.01)
    assert finding.evidence["interval"][1] <= Thresholds().margin

    apart = [one for one in both if (one.model == "small") == ("weather" in one.request_text)]
    assert findings_of(apart) == []


def test_a_cheaper_model_that_fails_more_is_not_recommended() -> None:
    def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
        small = rng.random() < 0.5
        failure = "judged_bad" if rng.random() < (0.15 if small else 0.03) else None
        return {"model": "small" if small else "large", "cost_usd": 0.0002 if small else 0.002, "failure": failure}

    findings = findings_of(recordings(np.random.default_rng(8), 800, plant))
    assert "cheaper_model" not in {finding.kind for finding in findings}


def test_clean_recordings_give_findings_no_more_often_than_agreed() -> None:
    """Every topic fails at the tolerated rate, two models serve, latencies are heavy-tailed: nothing to find."""

    def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
        calls = [{"id": "c", "name": "lookup", "arguments": "{}"}] if topic == "weather" else []
        return {
            "failure": "judged_bad" if rng.random() < 0.05 else None,
            "model": "a" if rng.random() < 0.5 else "b",
            "latency_ms": float(800 * (1 + rng.pareto(2.0))),
            "answer": {"text": "fine", "tool_calls": calls, "finish_reason": "stop"},
        }

    runs = 60
    false = sum(
        bool(findings_of(recordings(np.random.default_rng(1000 + seed), 300, plant), seed)) for seed in range(runs)
    )
    assert false <= stats.binom.ppf(0.999, runs, Thresholds().false_discovery)


def test_ids_come_from_content_and_not_from_time() -> None:
    examples = recordings(np.random.default_rng(9), 400, fails(failing(0.0) | {"mood": 0.4}))
    first = findings_of(examples)
    later = analyze(examples, policy="p", now=2e9, rng=np.random.default_rng(0))
    assert [finding.id for finding in first] == [finding.id for finding in later]
    elsewhere = [dataclasses.replace(one, policy="q") for one in examples]
    (other,) = analyze(elsewhere, policy="q", now=1e9, rng=np.random.default_rng(0))
    assert other.id != first[0].id


def shadowed(rng: np.random.Generator, n: int, *, worse: float, better: float, usd: float = 0.0002) -> list[Shadowed]:
    """Pairs of a candidate on the small model, which fails where the large one does not, and the other way round."""
    pairs = []
    for number in range(n):
        draw = rng.random()
        failures = (None, "refusal") if draw < worse else ("refusal", None) if draw < worse + better else (None, None)
        names = ("large", "" if failures[1] else "small")
        pairs.append(Shadowed(f"e{number}", f"u{number}", "", "c1", names, failures, (0.002, usd)))
    return pairs


def test_a_cheaper_model_is_found_by_pairs_and_then_not_by_recordings() -> None:
    def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
        small = rng.random() < 0.5
        return {"model": "small" if small else "large", "cost_usd": 0.0002 if small else 0.002}

    examples = recordings(np.random.default_rng(7), 800, plant)
    pairs = shadowed(np.random.default_rng(1), 400, worse=0.02, better=0.02)
    (finding,) = analyze(examples, policy="p", now=1e9, shadows=pairs)
    evidence = finding.evidence
    assert (finding.kind, evidence["method"], evidence["candidate"]) == ("cheaper_model", "paired_shadow", "c1")
    assert evidence["interval"][0] < evidence["rate"] < evidence["interval"][1] < Thresholds().margin
    assert (evidence["n"], evidence["saving"]) == (400, pytest.approx(0.9))
    (observed,) = analyze(examples, policy="p", now=1e9)
    assert observed.evidence["method"] == "observational"
    assert "Why one model was chosen" in observed.evidence["not_checked"]
    harmful = shadowed(np.random.default_rng(1), 200, worse=0.2, better=0.0)
    assert analyze(examples, policy="p", now=1e9, shadows=harmful) == [], "pairs are believed, not recordings"


def test_pairs_that_say_little_give_nothing() -> None:
    rng = np.random.default_rng(2)
    examples = recordings(rng, 200, lambda *_: {})
    few, dear = shadowed(rng, 19, worse=0, better=0), shadowed(rng, 200, worse=0, better=0, usd=0.0019)
    outside = [
        dataclasses.replace(one, failures=("rate_limited", None)) for one in shadowed(rng, 200, worse=0, better=0)
    ]
    turns = [dataclasses.replace(one, unit="u") for one in shadowed(rng, 200, worse=0, better=0)]
    for pairs in (few, dear, outside, turns):
        assert analyze(examples, policy="p", now=1e9, shadows=pairs) == []


def test_pairs_at_the_margin_are_taken_for_better_no_more_often_than_agreed() -> None:
    taken, runs = 0, 400
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        pairs = shadowed(rng, 150, worse=0.08, better=0.03)  # worse by the whole margin
        ((suspicion,), _) = sufficing(pairs, Thresholds(), rng)
        taken += suspicion.p_value <= 0.05
    assert taken <= stats.binom.ppf(0.999, runs, 0.05)


def test_the_same_records_give_the_same_findings_in_any_order() -> None:
    examples = recordings(np.random.default_rng(9), 400, fails(failing(0.05) | {"mood": 0.4}))
    examples += [example(9_000 + i, "again", unit=f"u{i}", turn=2, failure="refusal") for i in range(50)]
    first = analyze(examples, policy="p", now=1e9)
    assert first
    assert analyze(examples[::-1], policy="p", now=1e9) == first


def nonsense(number: int) -> Example:
    text = ["", "\x00\x01", "\ud83d", "日本語", "%s %d {}", "a" * 100_000][number % 6]
    answer: Any = [None, {}, {"text": 3, "tool_calls": "x"}, {"tool_calls": [None, {"name": 1}]}][number % 4]
    changes = {"latency_ms": float(number % 3 - 1), "cost_usd": 0.0, "model": "", "detail": text}
    return example(number, text, answer=answer, **changes)


@pytest.mark.parametrize(
    ("examples", "kinds", "said"),
    [
        ([], set(), "nothing to look at"),
        ([example(i, failure="client_gone") for i in range(50)], set(), "say nothing about the genome"),
        ([example(i, failure="refusal") for i in range(5)], set(), "too few"),
        ([example(i) for i in range(60)], set(), "no user said a word"),
        ([example(i, failure="refusal") for i in range(60)], {"prompt_weakness"}, "nothing good to compare with"),
        ([example(i, failure="server_error") for i in range(60)], {"repeated_failures"}, "server_error: 60"),
        ([example(i, "", score=1.0) for i in range(60)], set(), "without any text"),
        ([nonsense(i) for i in range(120)], set(), "120 conversations"),
        ([example(i, body={"messages": 3}, score=0.0) for i in range(60)], {"prompt_weakness"}, "rejected: 60"),
    ],
)
def test_bad_recordings_end_in_a_clear_finding_or_none(examples: list[Example], kinds: set[str], said: str) -> None:
    findings = analyze(examples, policy="p", now=1e9)
    assert {finding.kind for finding in findings} == kinds
    assert said in summary(examples, len(findings), policy="p", now=1e9)["said"]
