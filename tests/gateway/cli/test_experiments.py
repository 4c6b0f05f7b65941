"""What `evogate experiments` shows of a candidate's shadow, of its judge and of its canary."""

from gateway.cli.experiments import _judge, _log, _shadow
from gateway.cli.measured import measured


def test_shadow_deltas_stand_with_their_intervals() -> None:
    values = {"e_value": 30.0, "margin": 0.05, "estimate": 0.0213, "low": -0.004, "high": 0.0466}
    shown = _shadow({"shadow": {"quality": values, "latency": {**values, "estimate": -0.01}, "pairs": 400}})
    assert shown == "quality +0.021 (-0.004 to +0.047)\nlatency -0.010 (-0.004 to +0.047)"
    assert _shadow({}) == ""


def test_a_judge_is_shown_with_its_scatter_and_its_agreement_with_people() -> None:
    score = {"mean": 0.71, "low": 0.64, "high": 0.78, "repeat_variance": 0.0125}
    labelled = {**score, "calibration": {"labels": 24, "kappa": 0.8125, "corrected": {}}}
    assert _judge({"judge": labelled}) == "0.71 (0.64 to 0.78)\nrepeat variance 0.013\nkappa 0.81 on 24 labels"
    assert _judge({"judge": {**score, "repeat_variance": None, "calibration": {"labels": 1, "kappa": None}}}).endswith(
        "kappa not known on 1 labels"
    )
    assert _judge({"judge": {"required": False}}) == ""


def test_what_the_log_says_stands_with_its_interval_or_that_there_is_none() -> None:
    said = {"gain": 0.0512, "low": 0.0204, "high": 0.082, "candidate": {"effective": 512.3}}
    assert _log({"log": said}) == "+0.051 (+0.020 to +0.082), worth 512 units"
    assert _log({"log": {"gain": 0.0512, "candidate": {}}}) == "+0.051"  # as it was stored before there were intervals
    assert _log({"log": {"gain": None}}) == "no overlap"
    assert _log({}) == ""


def test_a_canary_is_shown_by_metric_and_with_what_holds_it_back() -> None:
    span = {"low": -0.01, "high": 0.05}
    evidence = {
        "e_value": 0.4,
        "threshold": 20.0,
        "e_values": {"reward": 55.0, "quality": 0.4},
        "estimates": {"reward": 0.0312, "quality": -0.06},
        "intervals": {"reward": span, "quality": {"low": -0.1, "high": -0.02}},
    }
    assert measured(evidence) == [
        "reward +0.031 (-0.010 to +0.050)",
        "quality -0.060 (-0.100 to -0.020)",
        "e-value 0.4 of 20, held back by quality",
    ]
    assert measured({}) == []
    assert measured({"units": [3, 1], "e_value": 1.0}) == []  # as older registries have it
