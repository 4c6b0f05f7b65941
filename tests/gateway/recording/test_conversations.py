"""Frames joined to requests and conversations, and one request found in a spool."""

import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.recording import IdSource, Position, SpoolWriter, conversations, find, join, lookup, read_frames
from gateway.recording.frames import Assignment, Outcome, Signal, from_payload, to_payload

Payload = dict[str, Any]
T0 = 1_760_000_000.0


def assignment(request_id: str, at: float, unit: str = "u1", policy: str = "support") -> Payload:
    return to_payload(
        Assignment(
            id=request_id, at=at, writer="w0", policy=policy, epoch=1, unit=unit, turn=1, arms=[("a", 1.0)], arm="a",
            role="production", version="v1.0", candidate=None, experiment=None, first=False, why="only",
            path="/v1/chat/completions", stream=False, model="m", intent="",
        )
    )  # fmt: skip


def outcome(request_id: str, at: float) -> Payload:
    return to_payload(Outcome(id=request_id, at=at, status=200, reward=0.75))


def signal(request_id: str, at: float, unit: str = "u1", **data: Any) -> Payload:
    return to_payload(Signal(id=request_id, at=at, kind="feedback", policy="support", unit=unit, data=data))


def test_frames_are_what_their_payloads_say() -> None:
    for payload in (assignment("r1", 1.0), outcome("r1", 2.0), signal("r1", 3.0, score=1)):
        read = orjson.loads(orjson.dumps(payload))
        assert orjson.loads(orjson.dumps(to_payload(from_payload(read)))) == read


def test_a_request_is_its_frames() -> None:
    frames = [assignment("r1", 1.0), outcome("r1", 2.0), signal("r1", 3.0, score=0), signal("r1", 4.0, score=1)]
    joined = join("r1", frames)
    assert joined == {"id": "r1", "assignment": frames[0], "outcome": frames[1], "signals": frames[2:]}
    assert join("r1", frames * 2) == joined


def test_a_conversation_has_its_requests_in_order() -> None:
    frames = [
        assignment("r1", 1.0), assignment("x1", 1.5, unit="u2"), outcome("r1", 2.0), assignment("r2", 3.0),
        assignment("r3", 3.5), signal("r1", 3.6), outcome("r3", 4.0), outcome("r2", 5.0), outcome("x1", 6.0),
    ]  # fmt: skip
    first, second = conversations(frames)
    assert (first["policy"], first["unit"]) == ("support", "u1")
    assert [request["id"] for request in first["requests"]] == ["r1", "r2", "r3"]
    assert [request["outcome"]["at"] for request in first["requests"]] == [2.0, 5.0, 4.0]
    assert [len(request["signals"]) for request in first["requests"]] == [1, 0, 0]
    assert [request["id"] for request in second["requests"]] == ["x1"]
    orjson.dumps(first)


def test_one_unit_of_two_policies_is_two_conversations() -> None:
    found = list(conversations([assignment("r1", 1.0), assignment("r2", 1.0, policy="other")]))
    assert [(one["policy"], len(one["requests"])) for one in found] == [("support", 1), ("other", 1)]


def test_a_conversation_comes_once_it_was_silent_long_enough() -> None:
    def frames() -> Any:
        yield assignment("r1", 0.0)
        yield assignment("r2", 50.0, unit="u2")
        yield outcome("r1", 60.0)
        yield assignment("r3", 155.0, unit="u3")
        read_on.append(True)
        yield assignment("r4", 165.0, unit="u1")

    read_on: list[bool] = []
    found = conversations(frames(), idle_s=100.0)
    assert next(found)["unit"] == "u2"
    assert not read_on
    assert [conversation["unit"] for conversation in found] == ["u1", "u3", "u1"]


def test_what_comes_late_makes_another_entry_of_its_unit() -> None:
    frames = [assignment("r1", 0.0), outcome("r1", 1.0), signal("r1", 5000.0, score=0)]
    first, late = conversations(frames, idle_s=100.0)
    assert first["requests"] == [join("r1", frames[:2])]
    assert (late["policy"], late["unit"], late["requests"]) == ("support", "u1", [join("r1", frames[2:])])


def test_an_outcome_without_assignment_stands_alone() -> None:
    (alone,) = conversations([outcome("r1", 1.0)])
    assert (alone["policy"], alone["unit"]) == ("", "")
    assert alone["requests"] == [join("r1", [outcome("r1", 1.0)])]


@pytest.fixture
def spool(tmp_path: Path) -> tuple[Path, list[str]]:
    """Two writers, a segment for each frame; request n comes at T0 + 1000 n, feedback 10,000 s later at the other."""
    writers = [SpoolWriter(tmp_path / name, segment_bytes=1) for name in ("w0", "w1")]
    source = IdSource(random.Random(7).randbytes)
    ids: list[str] = []
    for number in range(30):
        at = T0 + 1000.0 * number
        ids.append(source.new(int(at * 1e9)))
        writers[number % 2].append(orjson.dumps(assignment(ids[-1], at)))
        writers[number % 2].flush()
        writers[number % 2].append(orjson.dumps(outcome(ids[-1], at + 1.0)))
        writers[number % 2].flush()
        if number >= 10:
            writers[(number + 1) % 2].append(orjson.dumps(signal(ids[number - 10], at + 2.0, about=ids[number - 9])))
            writers[(number + 1) % 2].flush()
    for writer in writers:
        writer.close()
    return tmp_path, ids


def test_find_gives_all_frames_of_every_writer(spool: tuple[Path, list[str]]) -> None:
    root, ids = spool
    for number, request_id in enumerate(ids):
        found = find(root, request_id)
        assert found is not None
        assert (found["assignment"]["id"], found["outcome"]["id"]) == (request_id, request_id)
        assert [one["id"] for one in found["signals"]] == [request_id] * (number < 20)


def test_find_leaves_out_the_segments_before_the_request(
    spool: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, ids = spool
    starts = [lookup._start(root / "w0", request_id) for request_id in ids]
    assert starts == sorted(starts)
    assert starts[-1].segment > 5
    for number in range(0, 30, 2):
        (position, *_) = (p for p, frame in read_frames(root / "w0") if frame["id"] == ids[number])
        assert starts[number] < position


def test_find_says_where_nothing_is(spool: tuple[Path, list[str]]) -> None:
    root, _ = spool
    assert find(root, IdSource().new(int(T0 * 1e9))) is None
    assert find(root, "no uuid") is None
    assert find(root / "absent", "no uuid") is None


def test_find_searches_everything_for_an_id_without_a_time(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "w0", segment_bytes=100)
    for request_id in ("first", "second"):
        writer.append(orjson.dumps(outcome(request_id, T0)))
        writer.flush()
    writer.close()
    found = find(tmp_path, "first")
    assert found is not None
    assert found["outcome"]["id"] == "first"
    assert lookup._start(tmp_path / "w0", "first") == Position(0, 0)
