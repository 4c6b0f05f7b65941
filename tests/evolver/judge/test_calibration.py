"""Kappa, repetition and prediction-powered correction: by hand, by simulation, and on recorded verdicts of judges."""

from pathlib import Path
from random import Random

import orjson
import pytest

from evolver.judge.calibration import kappa, repeat_variance
from evolver.judge.labels import read_labels
from policies.errors import OperatorError
from policies.evidence.judgement import corrected

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "judge_verdicts.json"


def test_kappa_by_hand() -> None:
    judged = [1.0] * 25 + [0.0] * 25
    labels = [1.0] * 20 + [0.0] * 5 + [1.0] * 10 + [0.0] * 15
    assert kappa(judged, labels) == pytest.approx((0.7 - 0.5) / 0.5)
    assert kappa(labels, labels) == pytest.approx(1.0)
    assert kappa([1.0, 0.0], [0.0, 1.0]) == pytest.approx(-1.0)
    assert kappa([1.0, 1.0], [1.0, 1.0]) is None, "agreement that chance alone explains"
    assert kappa([], []) is None


def test_repetition() -> None:
    assert repeat_variance([]) is None
    assert repeat_variance([(1.0, 1.0), (0.5, 0.5)]) == 0.0
    assert repeat_variance([(1.0, 0.0), (0.5, 0.5)]) == pytest.approx(0.25)


def biased(rng: Random, truth: float) -> float:
    """A judge that calls every second bad answer good."""
    return 1.0 if truth == 1.0 or rng.random() < 0.5 else 0.0


def test_the_correction_takes_a_judges_bias_out_and_its_bounds_hold() -> None:
    rng, share, missed = Random(1), 0.6, 0
    for _ in range(60):
        unlabelled = [biased(rng, float(rng.random() < share)) for _ in range(96)]
        labels = [float(rng.random() < share) for _ in range(300)]
        found = corrected(unlabelled, [biased(rng, label) for label in labels], labels, 0.05)
        missed += not found.low <= share <= found.high
        assert sum(unlabelled) / 96 > share + 0.05, "as it is, it flatters"
        assert found.mean == pytest.approx(share, abs=0.16)
    assert missed <= 3


def test_a_perfect_judge_is_left_alone() -> None:
    found = corrected([1.0] * 80 + [0.0] * 20, [1.0, 0.0] * 200, [1.0, 0.0] * 200, 0.05)
    assert found.mean == pytest.approx(0.8)
    assert found.low > 0.6


@pytest.mark.parametrize("lacking", [([], [1.0]), ([1.0], [])])
def test_nothing_is_corrected_without_both(lacking: tuple[list[float], list[float]]) -> None:
    scores, labels = lacking
    with pytest.raises(ValueError, match="labelled"):
        corrected(scores, labels, labels, 0.05)


def line(**changes: object) -> bytes:
    row = {"id": "a", "body": {"messages": []}, "production": "x", "candidate": "y", "label": 1, **changes}
    return orjson.dumps({name: value for name, value in row.items() if value is not None})


def test_a_file_of_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(line() + b"\n\n" + line(id=None, label=0.5) + b"\n")
    found = read_labels(path)
    assert [(texts.id, texts.candidate["text"], label) for texts, label in found.pairs] == [
        ("a", "y", 1.0),
        ("3", "y", 0.5),
    ]
    before = found.digest
    path.write_bytes(line())
    assert read_labels(path).digest != before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "line 1: no labelled pair"),
        (b"[]", "line 1: no labelled pair"),
        (line(label=None), "line 1: no labelled pair"),
        (line() + b"\n" + line(label=1.5), "line 2: 'label'"),
        (line(label=True), "line 1: 'label'"),
        (line(production=3), "line 1: 'body'"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(content)
    with pytest.raises(OperatorError, match=says):
        read_labels(path)
    with pytest.raises(OperatorError, match="can't be read"):
        read_labels(tmp_path / "none")


@pytest.mark.skipif(not RECORDED.exists(), reason=f"no recorded verdicts at {RECORDED}")
def test_on_recorded_judges_the_correction_finds_how_often_the_better_answer_is_named() -> None:
    """44 set-ups of real judges, each wrong in its own way; the truth is always 1 for the known better answer.

    Half of the pairs have the better answer as the candidate (label 1), the others as production (label 0).
    """
    rng, bias, left = Random(2), [], []
    for verdicts in orjson.loads(RECORDED.read_bytes()).values():
        labels, scores = [], []
        for right in rng.sample(list(verdicts.values()), len(verdicts)):  # the file is sorted by difficulty
            better = rng.random() < 0.5
            score = sum(right) / 2
            labels.append(float(better))
            scores.append(score if better else 1.0 - score)
        found = corrected(scores[200:], scores[:200], labels[:200], 0.05)
        truth = sum(labels[200:]) / len(labels[200:])
        assert found.low <= truth <= found.high
        # A judge that favours the candidate's side: ties against production are lost.
        flattered = [min(score + 0.5, 1.0) for score in scores]
        found = corrected(flattered[200:], flattered[:200], labels[:200], 0.05)
        bias.append(sum(flattered[200:]) / len(flattered[200:]) - truth)
        left.append(found.mean - truth)
    assert min(bias) > 0.1
    assert abs(sum(left) / len(left)) < 0.03
