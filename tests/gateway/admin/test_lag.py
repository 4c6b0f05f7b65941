"""How far behind the evolver is."""

from pathlib import Path

from gateway.admin.lag import lag_s
from gateway.recording import Position, SpoolWriter, write_consumed


def test_it_is_the_age_of_the_oldest_record_that_was_not_read(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, segment_bytes=4096)
    assert lag_s(tmp_path, writer.position, 100.0) == 0.0
    writer.append(b'{"t":"outcome","at":10.0}')
    writer.flush()
    between = writer.position
    writer.append(b'{"t":"outcome","at":70.0}')
    writer.flush()
    assert lag_s(tmp_path, writer.position, 100.0) == 90.0
    write_consumed(tmp_path, between)
    assert lag_s(tmp_path, writer.position, 100.0) == 30.0
    write_consumed(tmp_path, Position(*writer.position))
    assert lag_s(tmp_path, writer.position, 100.0) == 0.0
    writer.close()
