"""The data plane, its admin listener, the command line and the sandbox provider."""

import os

# Before anything loads numpy: its products take microseconds here, and one that is shared among threads waits for their
# waking, which took the router's 99th percentile from tenths of a millisecond to several.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
