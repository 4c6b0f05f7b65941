"""Intents in the gateway: recorded with the request, kept apart in posteriors, never in the way."""

import numpy as np

from config.policy import BanditSettings
from gateway.pipeline.drawings import Drawings
from gateway.pipeline.epoch import Drawing
from gateway.pipeline.intents import Intents
from gateway.pipeline.posteriors import Posteriors
from gateway.pipeline.replay import restored
from gateway.recording import find
from policies.assignment import Shares
from policies.intents import Classifier, features, to_json
from policies.intents.classifier import ROWS
from tests.gateway.pipeline.conftest import Running
from tests.gateway.pipeline.experiments import canary, genome

KEY = "intents:assistant"


def taught(word: str, name: str) -> Classifier:
    weights = np.zeros((ROWS, 1), dtype=np.int8)
    np.add.at(weights[:, 0], features(word), 40)
    return Classifier((name,), 0.05, (0.01,), weights)


async def publish(gateway: Running, value: dict[str, object]) -> None:
    await gateway.worker._registry.set_state(KEY, value)
    await gateway.worker.sync()


async def test_without_a_classifier_there_is_no_intent(gateway: Running) -> None:
    await gateway.ask("my invoice")
    assert gateway.core.epoch.policies["assistant"].intents is None
    assert [frame["intent"] for frame in gateway.frames("assignment")] == [""]


async def test_it_is_recorded_and_kept_apart_in_the_posterior(gateway: Running) -> None:
    await publish(gateway, to_json(taught("invoice", "invoices")))
    _, headers, _ = await gateway.ask("please read my invoice")
    await gateway.ask("hello there")
    assert [frame["intent"] for frame in gateway.frames("assignment")] == ["invoices", ""]
    arm = gateway.core.epoch.policies["assistant"].production.hash
    posteriors = gateway.core.posteriors
    assert posteriors._own["assistant", arm, "invoices"][0] > 1.0
    before = list(posteriors._own["assistant", arm, "invoices"])
    said = {"request_id": headers["x-evogate-request-id"], "label": "down"}
    async with gateway.http.post(f"{gateway.url}/v1/feedback", json=said) as answer:
        assert answer.status == 202
    after = posteriors._own["assistant", arm, "invoices"]
    assert after[0] < before[0], "the word about it revises the same intent"
    assert sum(after) == sum(before)
    record = find(gateway.home / "spool", headers["x-evogate-request-id"])
    assert record is not None
    assert restored(record, None).intent == "invoices", "and is remembered over a restart"


async def test_the_draw_goes_by_the_odds_of_the_intent(gateway: Running) -> None:
    """Better for invoices, worse for the rest: each kind of request has its odds, recorded and in force."""
    await publish(gateway, to_json(taught("invoice", "invoices")))
    await canary(gateway, "c1", genome("Answer briefly."))
    view = gateway.core.epoch.policies["assistant"]
    assert view.by_intent == {}, "nothing has been learnt of an intent"
    ours, theirs, learnt = view.production.hash, view.drawn[1].hash, gateway.core.posteriors
    for n in range(800):
        invoice = n % 4 == 0
        learnt.add("assistant", ours, 0.3 if invoice else 0.9, "invoices" if invoice else "")
        learnt.add("assistant", theirs, 0.9 if invoice else 0.3, "invoices" if invoice else "")
    await gateway.worker.sync()
    gateway.worker.rebuild()
    view = gateway.core.epoch.policies["assistant"]
    odds = dict(view.by_intent["invoices"].odds)
    assert odds[theirs] > 2 * dict(view.odds)[theirs]
    for n in range(40):
        text = "read my invoice" if n % 2 else "hello"
        await gateway.ask(text, headers={"x-evogate-session": f"s{n}"})
    drawn = [frame for frame in gateway.frames("assignment") if frame["why"] == "draw"]
    for frame in drawn:
        assert dict(map(tuple, frame["arms"])) == (odds if frame["intent"] else dict(view.odds))
    entered = [entrance for recent in gateway.core.recent._by_id.values() for entrance in recent.entrances]
    assert {entrance.q for entrance in entered} == {odds[theirs], dict(view.odds)[theirs]}


def test_an_intent_goes_by_the_overall_ramp_and_an_easy_one_wins_nothing() -> None:
    posteriors = Posteriors("w0")
    for n in range(600):  # equal arms; the challenger is mostly drawn where everything succeeds
        easy = n % 10 < (9 if n % 2 else 3)
        posteriors.add("p", "c" if n % 2 else "p0", 0.95 if easy else 0.2, "easy" if easy else "hard")
    found = Posteriors("w1")
    found.take(posteriors.rows(0.0))
    assert abs(found.exchanged("p", "c").mean - found.exchanged("p", "p0").mean) < 0.03
    again = Posteriors("w0")
    again.take(posteriors.rows(0.0), own=True)
    assert again._baselines == posteriors._baselines
    settings = BanditSettings(ramp=50)
    drawings = Drawings("p", "p0", ["c"], None, None, [], set(), settings, found)
    assert set(drawings.by_intent({}, None)) == {"easy", "hard"}
    frozen = Drawing(Shares(("p0", "c"), (0.75, 0.25)), (), ())
    kept = drawings.by_intent({"easy": frozen}, drawings.overall(None))
    assert kept["easy"].shares.propensity("c") == 0.25, "learning is frozen: the odds stay"
    assert kept["hard"].shares == drawings.overall(None).shares


async def test_another_version_is_in_force_with_the_next_epoch(gateway: Running) -> None:
    await publish(gateway, to_json(taught("invoice", "invoices")))
    first = gateway.core.epoch.policies["assistant"].intents
    gateway.worker.rebuild()
    assert gateway.core.epoch.policies["assistant"].intents is first, "unpacked once a version"
    await publish(gateway, to_json(taught("invoice", "bills")))
    await gateway.ask("please read my invoice")
    assert gateway.frames("assignment")[-1]["intent"] == "bills"


async def test_a_broken_one_leaves_requests_without_an_intent_and_says_so(gateway: Running) -> None:
    await publish(gateway, {"version": "1", "weights": "nonsense"})
    view = gateway.core.epoch.policies["assistant"]
    assert view.intents is None
    assert "intent classifier" in view.problems[0]
    assert (await gateway.ask("please read my invoice"))[0] == 200


def test_those_of_policies_that_are_no_more_are_forgotten() -> None:
    intents, stored = Intents(), to_json(taught("invoice", "invoices"))
    first = intents.of("p", stored)
    assert intents.of("p", stored) is first
    intents.keep(["q"])
    assert intents.of("p", stored) is not first
    assert intents.of("p", {}) is None
