"""What the command measures on is right as it stands, promotion and rollback included, and wrong once it is changed."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.common import with_registry
from gateway.cli.verify import facts_of, recompute
from loadtests.recorded import make
from policies.verification import DiffersError, Report
from tests.gateway.cli.test_recompute import forge, rewrite

JSON = dict[str, Any]
CONVERSATIONS = 1_500


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("recorded")
    asyncio.run(make(home, CONVERSATIONS))
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "home")
    return tmp_path / "home"


def check(home: Path) -> tuple[Report, DiffersError | None]:
    return recompute(with_registry(home, lambda registry: facts_of(registry, home)), home / "spool", float("inf"))


def test_everything_comes_out_again(home: Path) -> None:
    report, differs = check(home)
    assert differs is None
    right = report.right
    assert (right["promotion tests"], right["thresholds"], right["rollbacks"]) == (1, 1, 1)
    assert right["draws"] == right["pins"] >= CONVERSATIONS
    assert right["outcomes"] == 2 * right["draws"]
    assert (right["moves by a decision"], right["moves by somebody's word"]) == (1, 1)


def nth(kind: str, n: int, **changed: Any) -> Callable[[list[JSON]], list[JSON]]:
    def change(frames: list[JSON]) -> list[JSON]:
        [frame for frame in frames if frame["t"] == kind][n].update(changed)
        return frames

    return change


def without(kind: str, n: int) -> Callable[[list[JSON]], list[JSON]]:
    def change(frames: list[JSON]) -> list[JSON]:
        frames.remove([frame for frame in frames if frame["t"] == kind][n])
        return frames

    return change


def flipped(frames: list[JSON]) -> list[JSON]:
    first = next(frame for frame in frames if frame["t"] == "assignment")
    first["arm"] = next(arm for arm, _ in first["arms"] if arm != first["arm"])
    return frames


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flipped, "arm drawn"),
        (nth("assignment", 0, salt="0" * 16), "salt"),
        (nth("outcome", 100, last_byte_ms=1.0), "reward"),
        (without("outcome", 100), "evidence."),
        (without("assignment", 100), "evidence."),
    ],
)
def test_a_changed_record_of_the_promotion_is_caught(
    home: Path, change: Callable[[list[JSON]], list[JSON]], words: str
) -> None:
    forge(home, change)
    _, differs = check(home)
    assert words in str(differs)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE pointers SET version = 'v1.0' WHERE revision = 2", "content"),
        ("UPDATE notes SET detail = replace(detail, '0.02', '0.03') WHERE action = 'terms'", "link"),
        ("UPDATE experiments SET verdict = 'INCONCLUSIVE' WHERE ordinal = 1", "content"),
    ],
)
def test_a_changed_decision_is_caught(home: Path, statement: str, words: str) -> None:
    rewrite(home, statement)
    _, differs = check(home)
    assert words in str(differs)
