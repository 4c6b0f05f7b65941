"""The admin listener: who may ask, and what it says."""

from pathlib import Path

import pytest

from gateway.admin.app import Admin
from gateway.admin.status import arms
from gateway.cli.status import _state
from policies.errors import OperatorError
from tests.gateway.pipeline.conftest import Running, running, settings
from tests.gateway.pipeline.experiments import canary, genome
from tests.gateway.pipeline.scripted import provider
from tests.gateway.pipeline.test_factorial import PATIENT, script, two_layers


async def test_metrics_are_numbers_of_what_happened(gateway: Running) -> None:
    await gateway.ask()
    async with gateway.http.get(f"{gateway.process.admin_url}/metrics") as answer:
        text = await answer.text()
    assert 'evogate_requests_total{policy="assistant",role="production"} 1.0' in text
    assert 'evogate_overhead_seconds_bucket{le="2.5e-05"}' in text
    assert "evogate_overhead_seconds_count 1.0" in text
    assert 'evogate_fell_open_total{stage="render"} 0.0' in text


async def test_status_shows_arms_and_evidence(gateway: Running) -> None:
    candidate, experiment = await canary(gateway, "c1", genome("Answer briefly."))
    gateway.worker.guard.tick()
    async with gateway.http.get(f"{gateway.process.admin_url}/admin/status") as answer:
        shown = await answer.json()
    production, challenger = shown["arms"]
    assert (production["role"], challenger["role"]) == ("production", "challenger")
    assert challenger["candidate"] == candidate.id
    assert production["share"] + challenger["share"] == pytest.approx(1.0)
    assert challenger["literal"] == "0.00x of 2x"
    assert (challenger["tries"], production["literal"]) == (0, "")
    (run,) = shown["experiments"]
    assert (run["id"], run["tries"], run["held"]) == (experiment.id, 0, False)
    assert run["literal"] == {"limit": 2.0, "exceeded": False, "ratios": run["literal"]["ratios"]}
    assert shown["policies"]["assistant"]["suspended"] == {}
    assert shown["spool"]["recording"] is True


async def test_status_names_what_is_suspended_and_the_try(gateway: Running) -> None:
    candidate, _ = await canary(gateway, "c1", genome("Answer briefly."))
    registry, now = gateway.worker._registry, gateway.core.now()
    noted = {**candidate.stations["canary"], "suspended": {"upstream": "second"}, "tries": 1}
    await registry.advance(candidate, None, who="t", reason="", now=now, station="canary", measured=noted)
    await gateway.worker.sync()
    async with gateway.http.get(f"{gateway.process.admin_url}/admin/status") as answer:
        shown = await answer.json()
    assert shown["policies"]["assistant"]["suspended"] == {"c1": "second"}
    assert [arm["tries"] for arm in shown["arms"]] == [0, 1]
    assert _state({"state": "canary", "stations": {"canary": noted}}) == "canary, suspended by 'second', try 2"


async def test_an_arm_of_several_candidates_shows_each_ones_evidence(tmp_path: Path) -> None:
    async with provider(script) as base, running(settings(base, PATIENT), tmp_path) as gateway:
        await two_layers(gateway)
        gateway.worker.guard.tick()
        shown = {arm["candidate"]: arm for arm in arms(gateway.worker)}
    assert shown["c1"]["evidence"] == "CLEAR, E 1"
    assert shown["c1+c2"]["evidence"] == "c1: CLEAR, E 1; c2: CLEAR, E 1"
    assert shown[None]["evidence"] == ""


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:3000"}, 200),
    ],
)
async def test_only_this_machine_is_served(gateway: Running, headers: dict[str, str], expected: int) -> None:
    async with gateway.http.get(f"{gateway.process.admin_url}/admin/arms", headers=headers) as answer:
        assert answer.status == expected


async def test_reload_says_whether_it_did(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{gateway.process.admin_url}/admin/reload"
    async with gateway.http.get(url) as answer:
        assert answer.status == 405
    async with gateway.http.post(url) as answer:
        assert (answer.status, (await answer.json())["reloaded"]) == (200, True)
    monkeypatch.setenv("EVOGATE_GATEWAY__PORT", "not a port")
    async with gateway.http.post(url) as answer:
        assert answer.status == 422
        assert "port" in (await answer.json())["error"]


async def test_a_listener_for_others_needs_a_token(gateway: Running) -> None:
    with pytest.raises(OperatorError, match="admin_token"):
        Admin(gateway.process, host="192.0.2.1", token=None)
