"""The judge and the reflection model, by the prompts that the evolver sends."""

import html
from random import Random
from statistics import fmean
from typing import Any

import orjson

from gateway.sandbox import judge, reflection
from gateway.sandbox.draws import generator
from gateway.sandbox.judge import JudgeTraits, verdict
from gateway.sandbox.paraphrases import PARAPHRASES
from gateway.sandbox.provider import Provider
from gateway.sandbox.reflection import ReflectionTraits, patches
from gateway.sandbox.rules import Family, read_text
from gateway.sandbox.tasks import Task, draw_task
from gateway.sandbox.worlds import World

WORLD = World(4)
FAIR = JudgeTraits(position_bias=0.0, noise=0.0)


def compared(task: Task, first: str, second: str) -> str:
    parts = {"request": f"user: {task.messages[-1]['content']}", "answer_a": first, "answer_b": second}
    return "\n".join(f"<{tag}>{html.escape(text, quote=False)}</{tag}>" for tag, text in parts.items())


def winner(text: str, traits: JudgeTraits = FAIR, seed: int = 0) -> str:
    reply = orjson.loads(verdict(WORLD, text, generator(seed), traits))
    assert reply.keys() == {"winner", "reason"}
    return str(reply["winner"])


def right_and_wrong(family: Family) -> tuple[Task, str, str]:
    task = draw_task(Random(8), WORLD, family)
    problem: Any = task.problem
    if family == "classification":
        right = problem.truth
    elif family == "arithmetic":
        right = f"The answer is {problem.steps[-1][3]}."
    elif family == "tools":
        right = f"{problem.name}({orjson.dumps(problem.arguments).decode()})"
    else:
        right = "A"
    return task, right, "That is hard to say."


def test_judge_prefers_the_right_answer_in_both_orders() -> None:
    families: list[Family] = ["classification", "arithmetic", "tools", "choice"]
    for family in families:
        task, right, wrong = right_and_wrong(family)
        assert winner(compared(task, right, wrong)) == "A", family
        assert winner(compared(task, wrong, right)) == "B", family
        assert winner(compared(task, right, right)) == "tie", family


def test_judge_has_the_faults_it_is_given() -> None:
    task, right, wrong = right_and_wrong("arithmetic")
    biased = JudgeTraits(position_bias=0.4, noise=0.0)
    assert winner(compared(task, right, right), biased) == "A"
    blind = [winner(compared(task, right, wrong), JudgeTraits(0.0, 5.0), seed) for seed in range(200)]
    assert {"A", "B"} <= set(blind)


def test_judge_without_a_truth_calls_it_a_tie() -> None:
    text = "<request>Write a poem.</request><answer_a>Roses</answer_a><answer_b>Violets</answer_b>"
    assert winner(text) == "tie"


def failing(families: list[Family], *, complain: bool) -> str:
    examples = []
    for number, family in enumerate(families):
        task = draw_task(Random(number), WORLD, family)
        complaint = task.correction_text if complain else "low score"
        parts = {"input": task.messages[-1]["content"], "answer": "Hm.", "complaint": complaint}
        body = "".join(f"<{tag}>{html.escape(text, quote=False)}</{tag}>" for tag, text in parts.items())
        examples.append(f"<example>{body}</example>")
    return f"<failures>{''.join(examples)}</failures>"


def proposed(text: str, seed: int = 0, traits: ReflectionTraits | None = None) -> list[dict[str, str]]:
    traits = traits or ReflectionTraits(omission=0.0, bloat=0.0)
    found: list[dict[str, str]] = orjson.loads(patches(WORLD, text, generator(seed), traits))["patches"]
    assert 3 <= len(found) <= 5
    assert all(patch.keys() == {"op", "rule_id", "text", "explanation"} for patch in found)
    return found


def test_reflection_names_what_is_missing() -> None:
    families: list[Family] = ["extraction", "extraction", "extraction", "tools", "tools"]
    for complain in (True, False):
        found = proposed("<current_rules></current_rules>" + failing(families, complain=complain))
        stated = read_text("\n".join(patch["text"] for patch in found), "open").supports
        assert {"iso_dates", "all_arguments"} <= stated
        assert "bare_label" not in stated


def test_reflection_leaves_what_is_stated_and_replaces_what_harms() -> None:
    rules = '<rule id="dates">Write dates as YYYY-MM-DD.</rule><rule id="talk">Always explain your choice.</rule>'
    failures = failing(["extraction", "classification"], complain=False)
    found = proposed(f"<current_rules>{rules}</current_rules>{failures}")
    assert [patch["rule_id"] for patch in found if patch["op"] == "replace"] == ["talk"]
    assert not any("iso_dates" in read_text(patch["text"], "open").supports for patch in found)


def test_reflection_omits_and_bloats() -> None:
    text = "<current_rules></current_rules>" + failing(["extraction", "tools", "arithmetic"], complain=True)
    careless = ReflectionTraits(omission=0.5, bloat=0.5)
    runs = [proposed(text, seed, careless) for seed in range(60)]
    named = ["iso_dates" in read_text("\n".join(p["text"] for p in run), "open").supports for run in runs]
    assert 0.2 < fmean(named) < 0.8
    longest = max(len(words) for words in PARAPHRASES["iso_dates"].phrasings)
    assert any("date" in patch["text"].lower() and len(patch["text"]) > longest + 40 for run in runs for patch in run)


def test_reflection_never_uses_held_out_words() -> None:
    held_out = {text for words in PARAPHRASES.values() for text in words.held_out_phrasings}
    text = "<current_rules></current_rules>" + failing(["choice", "knowledge", "arithmetic"], complain=True)
    said = {patch["text"] for seed in range(50) for patch in proposed(text, seed)}
    assert not said & held_out


def test_helpers_answer_on_the_wire_and_repeat_themselves() -> None:
    task, right, wrong = right_and_wrong("arithmetic")
    for opening, question, key in (
        (judge.OPENING, compared(task, right, wrong), "winner"),
        (reflection.OPENING, "<current_rules></current_rules>" + failing(["tools"], complain=True), "patches"),
    ):
        messages = [{"role": "system", "content": f"{opening}\n\nMore."}, {"role": "user", "content": question}]
        body = {"model": "sandbox-judge", "messages": messages, "temperature": 0}
        provider = Provider(WORLD)
        texts = {"".join(provider.complete(provider.understand(body)).said[0].tokens) for _ in range(3)}
        assert len(texts) == 1
        assert key in orjson.loads(texts.pop())
