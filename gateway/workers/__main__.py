"""`python -m gateway.workers --channel FD`: one worker, started by its parent."""

import sys

from gateway.workers.child import main

sys.exit(main())
