"""A route lets in what its health and limit allow, in turn, and sends the rest away at once."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from config.upstreams import Upstream
from gateway.http.messages import Headers
from gateway.http.upstream import Call, UpgradeSink
from gateway.pipeline.admission import Admission, Refused
from gateway.pipeline.places import Places
from gateway.pipeline.routes import Route
from policies.resilience import Permit, State, Trouble

DOWN = Trouble("connect")
HEALTH = {"consecutive": 1, "backoff_s": 1.0}


class NoPool:
    closed = False

    def call(self, *_: object, **__: object) -> Call:
        return Call.__new__(Call)

    def upgrade(self, path: bytes, headers: Headers | bytes, protocol: bytes, sink: UpgradeSink) -> Call:
        raise AssertionError("nobody asks for another protocol here")

    def close(self) -> None:
        self.closed = True


class Waiting:
    """Remembers what it is told."""

    def __init__(self, heard: Callable[[], None] = lambda: None) -> None:
        self.told: Permit | Refused | None = None
        self._heard = heard

    def on_admitted(self, permit: Permit) -> None:
        assert self.told is None
        self.told = permit
        self._heard()

    def on_refused(self, refused: Refused) -> None:
        assert self.told is None
        self.told = refused
        self._heard()


def upstream(**settings: Any) -> Upstream:
    return Upstream(base_url="http://h/v1", **settings)


def admission(**settings: Any) -> Admission:
    return Admission("up", upstream(**settings), lambda: 0.0)


def route(name: str, **settings: Any) -> Route:
    return Route(name, upstream(**settings), NoPool(), lambda: 0.0)


def permitted(gate: Admission, now: float = 0.0) -> Permit:
    permit = gate.admit(now, Waiting())
    assert isinstance(permit, Permit)
    return permit


def test_without_a_limit_everything_goes() -> None:
    gate = admission()
    assert {type(gate.admit(0.0, Waiting())) for _ in range(1000)} == {Permit}
    assert gate.waiting == 0
    assert gate.available(0.0)


async def test_the_queue_goes_on_in_turn_and_beyond_it_the_answer_is_no_at_once() -> None:
    gate = admission(max_concurrency=1, queue=2, queue_timeout_s=7)
    first, (second, third) = permitted(gate), (Waiting(), Waiting())
    assert gate.admit(0.0, second) is None
    assert gate.admit(0.0, third) is None
    refused = gate.admit(0.0, Waiting())
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.status, refused.retry_after_s) == ("upstream_full", 503, 7.0)
    gate.finish(first, None, 1.0)
    assert (isinstance(second.told, Permit), third.told, gate.waiting) == (True, None, 1)
    gate.leave(third)
    assert isinstance(second.told, Permit)
    gate.finish(second.told, None, 2.0)
    assert third.told is None
    assert gate.available(2.0)


async def test_who_waits_too_long_is_sent_away_by_the_timer_and_the_next_in_its_time() -> None:
    gate = admission(max_concurrency=1, queue=9, queue_timeout_s=0.02)
    permitted(gate, 100.0)
    done = asyncio.Event()
    early, late = Waiting(), Waiting(done.set)
    gate.admit(100.0, early)
    gate.admit(100.01, late)
    async with asyncio.timeout(5):
        await done.wait()
    assert isinstance(early.told, Refused)
    assert isinstance(late.told, Refused)
    assert gate.waiting == 0


async def test_a_queue_before_an_upstream_that_fails_is_sent_away_at_once() -> None:
    gate = admission(max_concurrency=1, queue=9, health=HEALTH)
    first, waiting = permitted(gate), [Waiting(), Waiting()]
    for one in waiting:
        assert gate.admit(0.0, one) is None
    gate.finish(first, DOWN, 0.0)
    for one in waiting:
        assert isinstance(one.told, Refused)
        assert (one.told.reason, one.told.status) == ("upstream_unhealthy", 503)
    assert isinstance(gate.admit(0.5, Waiting()), Refused)
    assert permitted(gate, 1.0).probe


async def test_a_busy_probe_takes_no_place_in_the_queue_from_others() -> None:
    gate = admission(max_concurrency=1, queue=9, health=HEALTH)
    gate.finish(permitted(gate), DOWN, 0.0)
    probe = permitted(gate, 1.0)
    refused = gate.admit(1.0, Waiting())
    assert isinstance(refused, Refused)
    gate.finish(probe, None, 1.5)
    assert gate.health.state is State.CLOSED
    permitted(gate, 1.5)


def test_a_providers_429_is_passed_on_without_asking_it_again() -> None:
    gate = admission(api_key="k")
    gate.finish(permitted(gate), Trouble("status", 429, 3.0), 0.0)
    refused = gate.admit(1.0, Waiting())
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.status, refused.retry_after_s) == ("upstream_paused", 429, 2.0)


@pytest.mark.parametrize("trouble", [None, Trouble("status", 400), Trouble("gone"), Trouble("status", 429, 3.0)])
def test_what_is_a_clients_own_affair_changes_nothing(trouble: Trouble | None) -> None:
    gate = admission(health=HEALTH)
    for _ in range(50):
        gate.finish(permitted(gate), trouble, 0.0)


def test_a_finished_call_counts_and_a_replaced_route_closes_after_its_last() -> None:
    pool = NoPool()
    old = Route("a", upstream(health=HEALTH), pool, lambda: 0.0)
    permit = permitted(old.admission)
    old.call(b"POST", b"/", [], b"", _NoSink())
    old.retire()
    old.finish(permit, DOWN, 0.0)
    assert old.admission.health.state is State.OPEN
    assert pool.closed


class _NoSink:
    def on_head(self, status: int, headers: Headers) -> None: ...
    def on_data(self, data: bytes) -> None: ...
    def on_end(self) -> None: ...
    def on_error(self, error: Exception) -> None: ...


# Several upstreams of one model


def test_a_unit_stays_moves_when_it_must_and_comes_back() -> None:
    one, two = route("one", api_key="k", health=HEALTH), route("two", api_key="k")
    places = Places((one, two), (1.0, 1.0))
    units = [f"unit-{number}" for number in range(64)]
    before = [places.pick(unit, 0.0, credentials=True) for unit in units]
    assert {found.name for found in before} == {"one", "two"}
    one.admission.finish(permitted(one.admission), DOWN, 0.0)
    assert {places.pick(unit, 0.5, credentials=True).name for unit in units} == {"two"}
    assert [places.pick(unit, 1.0, credentials=True) for unit in units] == before


def test_a_retry_goes_to_another_and_only_in_need_to_the_same() -> None:
    one, two = route("one", api_key="k", health=HEALTH), route("two", api_key="k", health=HEALTH)
    places = Places((one, two), (1.0, 1.0))
    assert places.pick("u", 0.0, credentials=True, avoid=one) is two
    assert places.pick("u", 0.0, credentials=True, avoid=two) is one
    two.admission.finish(permitted(two.admission), DOWN, 0.0)
    assert places.pick("u", 0.0, credentials=True, avoid=one) is one
    one.admission.finish(permitted(one.admission), DOWN, 0.0)
    assert places.pick("u", 0.0, credentials=True) is one


def test_a_clients_credential_goes_only_to_the_first() -> None:
    """`two` has no key of its own: it serves only requests that carry no credential."""
    one, two, three = route("one"), route("two"), route("three", api_key="k")
    places = Places((one, two, three), (1.0, 1.0, 1.0))
    units = [f"unit-{number}" for number in range(64)]
    assert {places.pick(unit, 0.0, credentials=True).name for unit in units} == {"one", "three"}
    assert {places.pick(unit, 0.0, credentials=False).name for unit in units} == {"one", "two", "three"}


@pytest.mark.parametrize(
    ("kind", "field"), [("openai", b"authorization"), ("azure", b"api-key"), ("anthropic", b"x-api-key")]
)
def test_a_route_knows_its_credential(kind: str, field: bytes) -> None:
    found = route("a", kind=kind, api_key="k").credential
    assert found is not None
    assert found[0] == field
    assert route("a", kind=kind).credential is None
