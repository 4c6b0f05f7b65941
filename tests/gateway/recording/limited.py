"""A process whose files may not grow beyond a limit, a real full disk as far as the kernel's answers go.

`python -m tests.gateway.recording.limited FOLDER` appends frames 0 to 59 with the limit lifted half-way.
"""

import resource
import signal
import sys
from pathlib import Path

from gateway.recording import SpoolError, SpoolWriter
from tests.gateway.recording.samples import SEGMENT, numbered, numbers

LIMIT = 1000


def main(directory: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    writer = SpoolWriter(directory, segment_bytes=SEGMENT)
    failures = 0
    for number in range(60):
        if number == 50:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        writer.append(numbered(number, pad="x" * 20))
        before = numbers(directory)
        try:
            writer.flush()
        except SpoolError:
            failures += 1
            assert numbers(directory) == before
    writer.close()
    assert failures > 10
    assert numbers(directory) == list(range(60))
    assert writer.lost == 0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
