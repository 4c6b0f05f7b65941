"""Intents in the gateway: recorded with the request, kept apart in posteriors, never in the way."""

import numpy as np

from gateway.pipeline.intents import Intents
from gateway.pipeline.replay import restored
from gateway.recording import find
from policies.intents import Classifier, features, to_json
from policies.intents.classifier import ROWS
from tests.gateway.pipeline.conftest import Running

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
