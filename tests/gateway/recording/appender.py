"""A process to be killed: appends numbered frames and acknowledges each flush on standard output.

`python -m tests.gateway.recording.appender FOLDER FIRST SEED`
"""

import os
import random
import sys
from pathlib import Path

from gateway.recording import SpoolWriter
from tests.gateway.recording.samples import numbered


def main(directory: Path, first: int, seed: int) -> None:
    rng = random.Random(seed)
    writer = SpoolWriter(directory, segment_bytes=1 << 20)
    number = first
    while True:
        for _ in range(rng.randrange(1, 20)):
            writer.append(numbered(number, pad="x" * rng.choice([10, 500, 40_000])))
            number += 1
        writer.flush()
        os.write(1, b"%d\n" % (number - 1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
