"""A killed search goes on where it was: the same turns, nothing answered is paid for twice, and the budget holds."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evolver.search import Journal, Plan
from evolver.search.journal import Attempt
from policies.errors import OperatorError
from tests.evolver.search import killed
from tests.evolver.search.worlds import BASE


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def whole(folder: Path) -> tuple[dict[str, Any], bytes, int]:
    """An undisturbed search: its result, its journal, and how much was paid for."""
    journal = Journal.begin(folder / "journal", killed.plan().to_json())
    result = asyncio.run(killed.run(journal, folder / "paid", 0.0))
    journal.close(done=False)
    return result.to_dict(), (folder / "journal").read_bytes(), len((folder / "paid").read_text().splitlines())


def quiet_places(data: bytes) -> list[int]:
    """Ends of lines at which everything announced is entered: a kill there loses nothing."""
    places, open_now, size = [], 0, 0
    for line in data.splitlines(keepends=True):
        size += len(line)
        open_now += line.startswith(b'{"announced"') - line.startswith(b'{"entered"')
        if open_now == 0:
            places.append(size)
    return places


def test_killed_between_evaluations_it_comes_to_the_same_result(tmp_path: Path) -> None:
    result, data, paid = whole(tmp_path)
    places = quiet_places(data)
    for at in (places[1], places[len(places) // 2], places[-1]):
        path, bill = tmp_path / f"cut{at}", tmp_path / f"bill{at}"
        path.write_bytes(data[:at] + b'{"announced": ["half a li')
        journal = Journal.resume(path)
        assert journal is not None
        again = asyncio.run(killed.run(journal, bill, 0.0)).to_dict()
        journal.close(done=True)
        assert again == result
        already = sum(len(json.loads(line)["entered"][1]) for line in data[:at].splitlines() if b'"entered"' in line)
        assert len(bill.read_text().splitlines() if bill.exists() else []) == paid - already
        assert not path.exists()


def test_a_killed_process_resumes_and_pays_for_nothing_twice(tmp_path: Path) -> None:
    journal, paid = tmp_path / "journal", tmp_path / "paid"
    command = [sys.executable, "-m", "tests.evolver.search.killed", str(journal), str(paid)]
    for generation in (1, 3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line == f"generation {generation}\n":
                    break
            process.kill()
    lost = sum(line["calls"] for line in unanswered(lines_of(journal)))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    bills = Counter(paid.read_text().splitlines())
    again = {bill for bill, times in bills.items() if times > 1}
    assert all(bill.startswith(BASE.content_hash) for bill in again)  # what all else is paired with is asked again
    assert sum(bills.values()) - len(bills) <= lost
    assert sum(bills.values()) <= result["calls"] <= killed.CALLS
    assert result["history"][-1]["number"] >= 3
    assert not journal.exists()


def unanswered(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Announcements that no line answers."""
    waiting: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        if "announced" in line:
            waiting.setdefault(str(line["announced"]), []).append(line)
        elif "entered" in line:
            waiting[str(line["entered"])].pop()
    return [line for group in waiting.values() for line in group]


def test_what_was_under_way_is_charged_and_not_answered(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path / "journal", {"a": 1})
    journal.announce(("g", ("e1", "e2")), 2, 0.5)
    journal.close(done=False)
    again = Journal.resume(tmp_path / "journal")
    assert again is not None
    assert again.plan == {"a": 1}
    assert again.next(("g", ("e1",))) is None
    assert again.next(("g", ("e1", "e2"))) == Attempt(2, 0.5)
    assert again.next(("g", ("e1", "e2"))) is None
    again.close(done=True)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null\n", b"[]\n", b'{"plan": 3}\n', b"\xff\n", b'{"plan": {}}\n{"x\n']
)
def test_what_is_no_journal_is_not_resumed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal").write_bytes(content)
    assert Journal.resume(tmp_path / "journal") is None


def test_a_journal_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match="journal"):
        Journal.begin(tmp_path / "file" / "journal", {})


def test_a_plan_survives_json_and_grows_old() -> None:
    plan = killed.plan()
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert plan.fits(BASE, plan.settings, 3_600.0)
    assert not plan.fits(BASE, plan.settings, 90_000.0)
    assert not plan.fits(BASE, plan.settings.model_copy(update={"population": 3}), 3_600.0)
    assert not plan.fits(
        BASE.model_copy(update={"prompt": BASE.prompt.model_copy(update={"cot": True})}), plan.settings, 0
    )


@pytest.mark.parametrize("wrong", [{}, {"seeds": 3}, {"seeds": [], "examples": [{"id": 1}]}])
def test_a_plan_of_another_version_is_none(wrong: dict[str, Any]) -> None:
    assert Plan.from_json(wrong) is None
