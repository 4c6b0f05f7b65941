"""How far the evolver has come in a writer's spool: `consumed.json` in its folder, `{"segment", "offset"}`.

The evolver writes it once what it read is safe in its own database; upkeep keeps what lies behind it.
"""

from pathlib import Path

import orjson

from gateway.recording.segments import Position

NAME = "consumed.json"


def write_consumed(directory: Path, position: Position) -> None:
    """Replace the file, whole or not at all.

    Raises:
        OSError: it could not be written; the old one stands.
    """
    path = directory / NAME
    unfinished = path.with_name(NAME + ".tmp")
    unfinished.write_bytes(orjson.dumps(position._asdict()))
    unfinished.replace(path)


def read_consumed(directory: Path) -> Position | None:
    """The position behind the last frame that was consumed; None where nobody wrote one that makes sense."""
    try:
        value = orjson.loads((directory / NAME).read_bytes())
        return Position(int(value["segment"]), int(value["offset"]))
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
