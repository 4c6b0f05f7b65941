"""One contract for both forms of the services: within the evolver, and each as a process of its own."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from evolver.services import STAGES
from tests.evolver.services.conftest import Form, ask, end, started
from tests.evolver.support import POLICY

GOOD: dict[str, dict[str, Any]] = {
    "cluster": {"texts": ["translate this", "translate that", "refund my order", "refund an order"]},
    "patches": {"policy": POLICY},
    "rank": {"texts": ["Reply in JSON.", "Maybe try to do it.", "Reply in JSON."]},
    "train": {"policy": POLICY, "propose": False, "calls": 0},
}
BAD: dict[str, list[dict[str, Any]]] = {
    "cluster": [{"texts": [1]}, {"texts": [""]}, {"limit": 0}, {"policy": "nobody's"}, {"unknown": 1}],
    "patches": [{"limit": "many"}, {"policy": "nobody's"}, {"policy": 7}],
    "rank": [{}, {"texts": []}, {"texts": ["x"], "policy": "nobody's"}],
    "train": [{"method": "guess"}, {"calls": -1}, {"policy": "nobody's"}],
}
answers: dict[str, Any] = {}


def conforms(document: dict[str, Any], stage: str, status: int, value: Any) -> None:
    described = document["paths"][STAGES[stage].path]["post"]["responses"][str(status)]
    schema = {**described["content"]["application/json"]["schema"], "components": document["components"]}
    assert [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(value)] == []


@pytest.mark.parametrize("stage", STAGES)
def test_it_answers_as_its_document_says_and_alike_in_both_forms(form: Form, stage: str) -> None:
    status, value = form.post(stage, GOOD[stage])
    conforms(form.document(stage), stage, status, value)
    if stage != "train":  # which asks models that are not there
        assert status == 200
    assert answers.setdefault(stage, (status, value)) == (status, value)


@pytest.mark.parametrize("stage", STAGES)
def test_it_refuses_what_it_does_not_take(form: Form, stage: str) -> None:
    document = form.document(stage)
    for body in BAD[stage]:
        status, value = form.post(stage, body)
        assert 400 <= status < 500, body
        conforms(document, stage, status, value)
    for data in (b"{", b"[]", b'"text"'):
        status, value = form.post(stage, data=data)
        assert (status, value["error"]["type"]) == (400, "invalid_request_error")
    status, _ = form.post(stage, GOOD[stage], origin="https://evil.example")
    assert status == 403


def test_patches_come_from_the_recordings(form: Form) -> None:
    _, value = form.post("patches", GOOD["patches"])
    assert value["base"] == "v1.0"
    assert value["findings"]
    assert value["patches"]
    assert all(patch["lineage"]["operator"] and patch["genome"] for patch in value["patches"])


def test_a_process_of_its_own_serves_nothing_else_and_does_nothing_by_itself(home: Path) -> None:
    before = {path.name for path in home.iterdir()}
    with started(home, ["--stage", "rank"]) as [(process, url)]:
        assert set(ask(f"{url}/openapi.json")[1]["paths"]) == {STAGES["rank"].path}
        assert ask(f"{url}/health") == (200, {"status": "ok"})
        assert ask(url + STAGES["cluster"].path, b"{}")[0] == 404
        assert ask(f"{url}/api/v1/improvement/status")[0] == 404
        assert end(process) == 0
    assert {path.name for path in home.iterdir()} - before <= {"spending", "analysis.db-wal", "analysis.db-shm"}


def test_ports_are_as_agreed() -> None:
    assert [(name, stage.port) for name, stage in STAGES.items()] == [
        ("cluster", 8011),
        ("patches", 8012),
        ("rank", 8013),
        ("train", 8014),
    ]
