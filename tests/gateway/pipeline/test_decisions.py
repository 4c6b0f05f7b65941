"""The pipeline's decisions without sockets: plans, odds, posteriors, signals, headers, small parts."""

from math import isclose
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.policy import BanditSettings, BreakerSettings, Policy
from config.upstreams import Upstream
from gateway.http.calls import Patience
from gateway.http.framing import HOP_BY_HOP
from gateway.http.messages import Headers
from gateway.http.upstream import Body, Call, Sink, UpgradeSink
from gateway.pipeline.allocation import allocate, entrances
from gateway.pipeline.entropy import Entropy
from gateway.pipeline.epoch import Entrance, PolicyView, Trial
from gateway.pipeline.headers import upward
from gateway.pipeline.live import LiveEvidence
from gateway.pipeline.metrics import Histogram
from gateway.pipeline.posteriors import Posteriors
from gateway.pipeline.recent import Recent, RecentRequests
from gateway.pipeline.routes import Route
from gateway.pipeline.signals import RETRY_WITHIN_S, is_correction, observe
from policies.bandit import Posterior
from policies.resilience import TimeoutRules

FLAT: dict[str, Posterior] = {}


def entry(request_id: str, unit: str = "u", *, at: float = 0.0, turn: int = 1, said: int = 1) -> Recent:
    return Recent(request_id, at, policy="p", unit=unit, turn=turn, arm="a", entrances=(), fresh=True, said=said)


def test_a_holdback_gets_its_fixed_share_of_everything() -> None:
    shares = allocate("p", ["c"], ("h", 0.5), FLAT, BanditSettings(), capped=(), kept=None)
    assert shares.arms == ("p", "c", "h")
    assert isclose(shares.propensity("h"), 0.5)
    assert isclose(sum(shares.propensities), 1.0)
    assert shares.propensity("c") <= 0.1 + 1e-9, "the exploration budget is a share of the rest"


def test_a_suspect_is_capped_at_the_floor() -> None:
    shares = allocate("p", ["c"], None, FLAT, BanditSettings(floor=0.02), capped={"c"}, kept=None)
    assert isclose(shares.propensity("c"), 0.02, abs_tol=1e-9)


def test_frozen_odds_stay_and_a_lost_arms_share_goes_to_production() -> None:
    before = allocate("p", ["c", "d"], None, FLAT, BanditSettings(), capped=(), kept=None)
    after = allocate("p", ["d", "new"], None, FLAT, BanditSettings(), capped=(), kept=before)
    assert after.arms == ("p", "d")
    assert after.propensity("d") == before.propensity("d")
    assert isclose(sum(after.propensities), 1.0)


def test_an_operators_holdback_acts_while_everything_else_is_frozen() -> None:
    before = allocate("p", ["c"], None, FLAT, BanditSettings(), capped=(), kept=None)
    after = allocate("p", ["c"], ("h", 0.5), FLAT, BanditSettings(), capped=(), kept=before)
    assert after.propensity("h") == 0.5
    assert after.propensity("c") == before.propensity("c")
    again = allocate("p", ["c"], ("h", 0.5), FLAT, BanditSettings(), capped=(), kept=after)
    assert again == after


def test_units_enter_with_the_odds_among_the_two_arms_compared() -> None:
    shares = allocate("p", ["c"], ("h", 0.25), FLAT, BanditSettings(), capped=(), kept=None)
    canary = Trial("e1", "c1", "c", "p", holdback=False, started_at=0.0)
    holdback = Trial("e2", "c0", "p", "h", holdback=True, started_at=0.0)
    production, challenger, older = entrances(shares, [canary, holdback])
    p, c, h = shares.propensities
    assert [(e.experiment, e.challenger) for e in production] == [("e1", False), ("e2", True)]
    assert isclose(production[0].q, c / (c + p))
    assert isclose(production[1].q, p / (p + h))
    assert [(e.experiment, e.challenger, e.q) for e in challenger] == [("e1", True, production[0].q)]
    assert [(e.experiment, e.challenger, e.q) for e in older] == [("e2", False, production[1].q)]


def test_a_revision_equals_having_known_at_once() -> None:
    late, early = Posteriors("w0"), Posteriors("w0")
    late.add("p", "a", 0.9)
    late.revise("p", "a", 0.9, 0.2)
    early.add("p", "a", 0.2)
    assert late.of("p", "a").alpha == pytest.approx(early.of("p", "a").alpha)
    assert late.of("p", "a").weight == pytest.approx(3.0)


def test_drift_common_to_all_arms_moves_none() -> None:
    posteriors = Posteriors("w0")
    for step in range(2000):
        reward = 0.9 if step < 1000 else 0.4
        posteriors.add("p", "a", reward)
        posteriors.add("p", "b", reward)
    assert posteriors.of("p", "a").mean == pytest.approx(posteriors.of("p", "b").mean, abs=1e-3)


def test_totals_go_round_through_the_registrys_rows() -> None:
    ours, theirs = Posteriors("w0"), Posteriors("w1")
    ours.add("p", "a", 1.0)
    theirs.add("p", "a", 0.0)
    rows = [*ours.rows(5.0), *theirs.rows(6.0)]
    ours.take(rows)
    assert (ours.of("p", "a").alpha, ours.of("p", "a").beta) == (2.0, 2.0)
    restarted = Posteriors("w0")
    assert restarted.take(rows, own=True) == 5.0
    assert restarted.of("p", "a") == ours.of("p", "a")


@pytest.mark.parametrize(
    "text",
    [
        "No, I meant the blue one",
        "That is wrong.",
        "that's not what I asked",
        "Wrong!",
        "try again",
        "You forgot the tax",
    ],
)
def test_corrections(text: str) -> None:
    assert is_correction(text)


@pytest.mark.parametrize(
    "text", ["Thanks!", "And now in French", "Nobody knows", "What is wrong with my car?", "North"]
)
def test_no_corrections(text: str) -> None:
    assert not is_correction(text)


def test_a_retry_is_the_same_question_soon() -> None:
    before = entry("1", at=100.0, said=7)
    assert observe(before, turn=1, text="x", said=7, now=100.0 + RETRY_WITHIN_S, results=[]) == "retry"
    assert observe(before, turn=1, text="x", said=7, now=101.0 + RETRY_WITHIN_S, results=[]) is None
    new = observe(before, turn=1, text="No, wrong", said=8, now=101.0, results=[])
    assert new is None, "a new conversation corrects nothing"


def test_recent_requests_are_bounded() -> None:
    recent = RecentRequests(capacity=2)
    for name in ("1", "2", "3"):
        recent.add(entry(name, unit=name))
    assert (recent.get("1"), recent.latest("p", "1")) == (None, None)
    assert len(recent) == 2
    assert recent.latest("p", "3") is recent.get("3")


@given(st.lists(st.tuples(st.sampled_from(["Accept", "X-A", "x-evogate-session", "Connection", "TE"]), st.text("ab"))))
def test_nothing_of_ours_and_nothing_of_the_hop_goes_up(pairs: list[tuple[str, str]]) -> None:
    headers: Headers = [(name.encode(), value.encode()) for name, value in pairs]
    sent = upward(headers, None, readable=False)
    assert [pair for pair in headers if pair in sent] == sent
    assert not any(name.lower().startswith(b"x-evogate") or name.lower() in HOP_BY_HOP for name, _ in sent)
    assert all(pair in sent for pair in headers if pair[0] == b"Accept")


def test_headers_that_a_connection_names_stay_behind() -> None:
    sent = upward([(b"Connection", b"x-a"), (b"X-A", b"1"), (b"X-B", b"2")], None, readable=False)
    assert sent == [(b"X-B", b"2")]


class NoPool:
    def __init__(self) -> None:
        self.closed = False

    def call(  # noqa: PLR0917 - as the protocol has it
        self,
        method: bytes,
        path: bytes,
        headers: Headers | bytes,
        body: Body,
        sink: Sink,
        timeouts: TimeoutRules | None = None,
    ) -> Call:
        return Call(method, b"", sink, 0.0, Patience(1.0, 1.0, 1.0, 1.0))

    def upgrade(self, path: bytes, headers: Headers | bytes, protocol: bytes, sink: UpgradeSink) -> Call:
        raise AssertionError("nobody asks for another protocol here")

    def close(self) -> None:
        self.closed = True


class NoSink:
    def on_head(self, status: int, headers: Headers) -> None: ...
    def on_data(self, data: bytes) -> None: ...
    def on_end(self) -> None: ...
    def on_error(self, error: Exception) -> None: ...


def test_a_replaced_route_closes_after_its_last_call() -> None:
    pool = NoPool()
    route = Route("r", Upstream(base_url="https://api.example/api/v1"), pool)
    route.call(b"POST", b"/", [], b"", NoSink())
    route.retire()
    assert not pool.closed
    route.done()
    assert pool.closed


@pytest.mark.parametrize(
    ("base", "target", "expected"),
    [
        ("https://h/v1", b"/v1/chat/completions?a=1", b"/v1/chat/completions?a=1"),
        ("https://h/api/v1/", b"/v1/models", b"/api/v1/models"),
        ("https://h", b"/v1/models", b"/models"),
        ("https://h/v1", b"/v1beta/x", b"/v1beta/x"),
        ("https://h/v1", b"/other", b"/other"),
    ],
)
def test_paths_go_below_the_base_url(base: str, target: bytes, expected: bytes) -> None:
    assert Route("r", Upstream(base_url=base), NoPool()).path(target) == expected


def test_entropy_is_never_given_out_twice() -> None:
    entropy = Entropy()
    taken = [entropy(8) for _ in range(5000)]
    assert len(set(taken)) == 5000
    assert {len(value) for value in taken} == {8}


def test_histogram_bounds_are_inclusive() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value)
    assert histogram.cumulative() == [("1.0", 2.0), ("2.0", 3.0), ("+Inf", 4.0)]


def test_rows_that_the_registry_did_not_take_are_made_again() -> None:
    trial = Trial("e1", "c1", "c", "p", holdback=False, started_at=0.0)
    policy = Policy(breaker=BreakerSettings(deadline_s=5.0))
    live, entrances_of_c = LiveEvidence("w0"), (Entrance("e1", challenger=True, q=0.2),)
    live.follow(cast("list[PolicyView]", [SimpleNamespace(name="support", settings=policy, trials=(trial,))]))
    live.assigned(entrances_of_c, "u1", 1000.0)
    live.settled(entrances_of_c, "u1", None, 1000.5)
    live.judged(entrances_of_c, "u1", bad=False, now=1000.6)
    assert list(live.judge(1001.0)) == []
    assert 1000 in {row.bucket for row in live.rows(1001.0)}
    assert list(live.judge(1100.0)) == [], "by then the deadline has decided about later answers"
    assert 1000 in {row.bucket for row in live.rows(1100.0)}, "the first ones were lost"
    live.exchanged()
    assert 1000 not in {row.bucket for row in live.rows(1200.0)}
