"""A recording process under load, killed at random moments: see loadtests/kill.py."""

from pathlib import Path

import pytest

from loadtests import kill
from tests.gateway.recording.samples import frame, segment


@pytest.mark.parametrize(("level", "rounds"), [("kill_safe", 14), ("power_safe", 6)])
async def test_what_was_answered_before_a_kill_is_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str, rounds: int
) -> None:
    monkeypatch.setattr(kill, "LONGEST_S", 0.1)
    assert await kill.run(rounds, seed=3, level=level, root=tmp_path) > 20 * rounds


def test_the_oracle_misses_nothing(tmp_path: Path) -> None:
    """It must be able to fail: an answer that is on record by half, one that was never asked for, one twice."""
    (tmp_path / "w0").mkdir()
    for frames, message in (
        ([b'{"t":"assignment","id":"1"}'], "1 answered requests are not on record, such as 1"),
        ([b'{"t":"outcome","id":"1"}'] * 2 + [b'{"t":"assignment","id":"1"}'], "1 frames are on record more than once"),
        ([b'{"t":"outcome","id":"%s"}' % i for i in (b"1", b"2")] + [b'{"t":"assignment","id":"1"}'], "never asked"),
    ):
        segment(tmp_path / "w0").write_bytes(b"".join(map(frame, frames)))
        with pytest.raises(AssertionError, match=message):
            kill.Oracle(tmp_path / "w0", asked={"1"}, answered={"1"}).check()
