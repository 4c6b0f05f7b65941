import json
from random import Random

from policies.evidence import ProviderWatch


def serve(watch: ProviderWatch, rng: Random, rates: dict[str, float], *, units: int, now: float = 0.0) -> float | None:
    """Production takes four of five units, the other arms share the rest; the time at which the state first changed."""
    others = [arm for arm in rates if arm != "production"]
    for _ in range(units):
        now += 0.1
        arm = rng.choice(others) if others and rng.random() < 0.2 else "production"
        if watch.add(arm, rng.random() < rates[arm], now=now):
            return now
    return None


def test_quiet_traffic_raises_no_alarm() -> None:
    watch = ProviderWatch()
    assert serve(watch, Random(71), {"production": 0.03, "candidate": 0.05}, units=30_000) is None
    assert not watch.state().outage


def test_an_outage_is_seen_within_seconds_and_its_end_too() -> None:
    watch, rng = ProviderWatch(), Random(72)
    usual, down = {"production": 0.02, "candidate": 0.02}, {"production": 0.8, "candidate": 0.8}
    serve(watch, rng, usual, units=2000)
    began = serve(watch, rng, down, units=500, now=200.0)
    assert began is not None
    assert began < 210.0
    state = watch.state()
    assert state.outage
    assert state.since is not None
    assert 199.0 < state.since <= began
    assert "provider" in state.summary
    assert json.loads(json.dumps(state.evidence))["candidate"]["score"] > 0
    serve(watch, rng, down, units=5000, now=began)
    ended = serve(watch, rng, usual, units=5000, now=1000.0)
    assert ended is not None
    assert ended < 1060.0
    assert not watch.state().outage


def test_a_broken_candidate_is_not_the_providers_fault() -> None:
    watch, rng = ProviderWatch(), Random(73)
    serve(watch, rng, {"production": 0.02, "candidate": 0.02}, units=2000)
    assert serve(watch, rng, {"production": 0.02, "candidate": 0.9}, units=5000, now=200.0) is None


def test_a_broken_production_is_not_the_providers_fault() -> None:
    watch, rng = ProviderWatch(), Random(74)
    serve(watch, rng, {"production": 0.02, "candidate": 0.02}, units=2000)
    assert serve(watch, rng, {"production": 0.9, "candidate": 0.02}, units=5000, now=200.0) is None


def test_an_arm_that_is_not_served_has_no_say() -> None:
    watch, rng = ProviderWatch(), Random(75)
    serve(watch, rng, {"production": 0.02, "gone": 0.02}, units=2000)
    assert serve(watch, rng, {"production": 0.9}, units=5000, now=200.0) is not None
    watch.forget("gone")
    assert set(watch.state().evidence) == {"production"}


def test_many_failures_from_the_first_unit_on_are_no_rise() -> None:
    for seed in range(40):
        watch, rng = ProviderWatch(), Random(seed)
        assert serve(watch, rng, {"production": 0.12}, units=5_000) is None
        assert serve(watch, rng, {"production": 0.12, "candidate": 0.3}, units=5_000, now=600.0) is None


def test_a_new_arm_does_not_hide_an_outage() -> None:
    watch, rng = ProviderWatch(), Random(77)
    serve(watch, rng, {"production": 0.02}, units=2000)
    assert serve(watch, rng, {"production": 0.9, "new": 0.9}, units=200, now=200.0) is not None


def test_a_baseline_that_is_high_is_not_an_outage() -> None:
    watch, rng = ProviderWatch(), Random(76)
    for rate in (0.05, 0.1, 0.15, 0.2):  # rises slowly
        serve(watch, rng, {"production": rate}, units=4000)
    assert not watch.state().outage
