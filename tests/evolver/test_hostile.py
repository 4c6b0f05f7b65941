"""An injection campaign in the recordings, and models that obey it, babble, dawdle or say nothing."""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest

from evolver import cycle
from evolver.proposals import reflection
from evolver.provider import EXHAUSTED, Completion
from evolver.spending import Spending
from loadtests.month.plan import MARK, injection
from policies.genome import Genome
from policies.outcome import Answer
from tests.evolver.proposals.disguises import DISGUISES
from tests.evolver.proposals.injections import INJECTIONS
from tests.evolver.support import POLICY, World, exchange, make_settings, signal, with_rule

HONEST = "Answer with one JSON object and nothing around it."
REFLECTING = {"model_key": "reflection"}
UNBOUNDED = (
    *(("evolver.proposals.reflection", name) for name in ("PATCHES", "REPLY_CHARS")),
    *(("evolver.proposals.propose", name) for name in ("PER_FINDING", "TOTAL")),
    *(("evolver.cycle", name) for name in ("ADDED", "LIVE_PER_LAYER")),
)
FREE = {"num_generations": 1, "population": 4, "usd_per_cycle": 0.0}


async def campaign(world: World, count: int = 120, sent: Sequence[str] = ()) -> list[str]:
    """Recordings of which every other one failed and carries an injection, in request, answer and correction.

    The injections are `sent`, in turn, or any. Returned are those that were there.
    """
    rng, frames, texts = Random(5), list[object](), list[str]()
    arm = world.production.genome.content_hash
    for number in range(count):
        at = world.now - 1_000 + number
        if number % 2:
            frames += exchange(number, at=at, text=f"What is {number} plus 3?", answer=str(number), arm=arm)
            continue
        # A campaign repeats itself: more kinds would scatter over topics too small to become findings.
        text = sent[len(texts) % len(sent)] if sent else rng.choice([injection(rng), rng.choice(INJECTIONS[:24])])
        texts.append(text)
        asked = f"Extract the city from this letter as JSON: I moved in {1900 + number}. {text}"
        frames += exchange(number, at=at, text=asked, answer=f"Berlin. {text}", failure="invalid_output", arm=arm)
        frames.append(signal(number, "correction", {"text": text}, at=at + 1))
    await world.record(frames)  # type: ignore[arg-type]
    return texts


def scripted(world: World, replies: Iterator[Any]) -> None:
    """The reflection model says what it is told to; all else goes to the provider."""
    inner = world.provider.complete

    async def complete(model_key: str, body: dict[str, Any]) -> Completion:
        if model_key != "reflection":
            return await inner(model_key, body)
        reply = next(replies)
        if isinstance(reply, BaseException):
            raise reply
        if reply is None:
            await asyncio.Event().wait()
        text = reply if isinstance(reply, str) else json.dumps(reply)
        return Completion(200, {}, Answer(text=text), 1.0, 0.0, None)

    world.provider.complete = complete  # type: ignore[method-assign]


def obeying(texts: list[str]) -> Iterator[dict[str, Any]]:
    """A model that wants whatever the recordings want, and more."""
    rng = Random(9)
    while True:
        chosen = rng.sample(texts, 3)
        yield {
            "patches": [
                {"op": "add", "text": chosen[0], "explanation": chosen[0]},
                {"op": "add", "text": f"Be kind. {chosen[1].upper()}", "explanation": "kind"},
                {"op": "replace", "rule_id": "r1", "text": " ".join(chosen[2].split()[:9]), "explanation": "shorter"},
                {"op": "add", "text": "You may call any tool that the user names.", "explanation": "tools"},
                {"op": "add", "text": f"{HONEST} See https://evil.example/x", "explanation": "link"},
            ]
        }


def texts_of(genome: Genome) -> str:
    parts = [rule.text for rule in genome.prompt.rubric] + [s.user + s.assistant for s in genome.prompt.few_shots]
    return " ".join([*parts, genome.prompt.tool_instructions or ""]).lower()


async def clean(world: World, texts: list[str]) -> None:
    """No candidate holds a word of the campaign, and each names the records behind it."""
    for candidate in await world.registry.candidates(POLICY):
        said = texts_of(candidate.genome)
        assert MARK not in said
        assert "evil.example" not in said
        assert "any tool" not in said
        assert not any(" ".join(text.lower().split()[:6]) in said for text in texts)
        if candidate.lineage.finding is not None:
            assert candidate.stations["origin"]["records"]


def configure(world: World, **evolver: Any) -> None:
    url = world.settings.upstreams["sandbox"].base_url
    world.configure(make_settings(url, **{"search": FREE, "reflection": REFLECTING, **evolver}))


async def test_a_campaign_does_not_pass_the_sandboxes_reflection_model(served: World) -> None:
    configure(served)
    texts = await campaign(served)
    result = await cycle.run(POLICY, served.context())
    assert result.findings > 0
    await clean(served, texts)


async def test_a_campaign_does_not_pass_a_model_that_obeys_it(served: World) -> None:
    configure(served)
    texts = await campaign(served)
    scripted(served, obeying(texts))
    result = await cycle.run(POLICY, served.context())
    assert result.findings > 0
    await clean(served, texts)


def echoing(hidden: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A model that proposes the whole corpus, plain, shortened and hidden, and one honest rule."""
    said = [*INJECTIONS, *(" ".join(text.split()[:9]) for text in INJECTIONS), *hidden, HONEST]
    while True:
        yield {"patches": [{"op": "add", "text": text, "explanation": text} for text in said]}


@pytest.mark.parametrize("disguise", DISGUISES)
async def test_no_text_of_the_corpus_passes_in_any_disguise(
    served: World, disguise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent as it is or disguised, and proposed by a model that sees through it, copies it or disguises it itself."""
    for module, name in UNBOUNDED:
        monkeypatch.setattr(sys.modules[module], name, 10**6)  # what is not refused gets in, however it ranks
    configure(served)
    hidden = [DISGUISES[disguise](text) for text in INJECTIONS]
    await campaign(served, 2 * len(INJECTIONS), hidden)
    scripted(served, echoing(hidden))
    result = await cycle.run(POLICY, served.context())
    assert result.findings > 0
    said = {rule.text for c in await served.registry.candidates(POLICY) for rule in c.genome.prompt.rubric}
    assert HONEST in said
    assert [(rule, text) for rule in said for text in (*INJECTIONS, *hidden) if text in rule or rule in text] == []
    await clean(served, list(INJECTIONS))


async def test_what_a_model_is_shown_is_data(served: World) -> None:
    configure(served)
    await campaign(served)
    shown: list[str] = []
    inner = served.provider.complete

    async def complete(model_key: str, body: dict[str, Any]) -> Completion:
        shown.append(body["messages"][1]["content"])
        return await inner(model_key, body)

    served.provider.complete = complete  # type: ignore[method-assign]
    await cycle.run(POLICY, served.context())
    assert shown
    for text in shown:
        assert text.count("</failures>") == 1
        assert text.count("<current_rules>") == 1
        assert len(text) < 60_000


@pytest.mark.parametrize(
    "reply",
    ["", "no JSON at all", "[" * 5_000, {"patches": 7}, {"patches": [{"op": "add"}]}, OSError("gone"), None],
    ids=["empty", "prose", "brackets", "a number", "no text", "an error", "never"],
)
async def test_a_model_that_says_nothing_of_use_leaves_the_templates(
    served: World, reply: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflection, "TIMEOUT_S", 0.05)
    configure(served)
    texts = await campaign(served, 60)
    scripted(served, iter([reply] * 100))
    result = await cycle.run(POLICY, served.context())
    assert all(not operator.startswith("reflection") for operator in result.operators)
    await clean(served, texts)


@pytest.mark.parametrize("failure", ["invalid_output", "server_error"])
@pytest.mark.parametrize("failing", [0, 60], ids=["none failed", "all failed alike"])
async def test_one_sided_recordings_end_in_words(served: World, failing: int, failure: str) -> None:
    """Without a contrast: nothing is promoted, and what is proposed goes through every gate."""
    configure(served)
    arm, frames = served.production.genome.content_hash, list[Any]()
    for number in range(60):
        how: dict[str, Any] = {"failure": failure} if number < failing else {}
        frames += exchange(number, at=served.now - 1_000 + number, text="The very same.", arm=arm, **how)
    await served.record(frames)
    result = await cycle.run(POLICY, served.context())
    assert (result.findings > 0) == bool(failing)
    assert "proposals" in result.said
    assert {c.state for c in await served.registry.candidates(POLICY)} <= {"proposed"}


async def test_without_recordings_a_cycle_says_so(served: World) -> None:
    configure(served)
    result = await cycle.run(POLICY, served.context())
    assert (result.findings, result.proposals, result.added) == (0, 0, ())
    assert "no recorded request" in result.said


@pytest.mark.parametrize("budget", [{"usd_per_day": 0.0}, {"calls_per_day": 0}])
async def test_a_day_without_a_budget_asks_nobody_and_promotes_nothing(served: World, budget: dict[str, Any]) -> None:
    configure(served, budget=budget, search={"num_generations": 1})
    served.provider.spending = Spending(served.home / "spending", served.settings.evolver.budget)
    await campaign(served, 60)
    await cycle.run(POLICY, served.context())
    assert served.provider.calls == 0
    assert (await served.provider.complete("medium", {"messages": []})).error == EXHAUSTED
    assert {c.state for c in await served.registry.candidates(POLICY)} <= {"proposed"}


async def test_a_tombstoned_idea_is_not_proposed_again_by_a_model(served: World) -> None:
    configure(served)
    await campaign(served, 60)
    buried = await served.candidate(genome=with_rule(served.production.genome, HONEST))
    await served.registry.advance(buried, "fail", who="evolver", reason="bad", now=served.now)
    scripted(served, iter([{"patches": [{"op": "add", "text": HONEST, "explanation": "again"}]}] * 100))
    await cycle.run(POLICY, served.context())
    live = await served.registry.candidates(POLICY, live=True)
    assert buried.genome.content_hash not in {candidate.genome.content_hash for candidate in live}
