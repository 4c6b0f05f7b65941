"""Swallowed faults, counted under a bounded set of reasons. The client got its answer all the same."""

import logging
from typing import Final, Literal, get_args

log = logging.getLogger("evogate.pipeline")

Stage = Literal[
    "assignment", "render", "record", "outcome", "evidence", "mirror", "registry", "signals", "telemetry", "strategy"
]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)

_LOGGED_PER_STAGE: Final = 20


class FallOpen:
    """Counts per stage, and the last fault of each as text for `/admin/status`."""

    __slots__ = ("counts", "last")

    def __init__(self) -> None:
        self.counts: dict[Stage, int] = dict.fromkeys(STAGES, 0)
        self.last: dict[Stage, str] = {}

    def count(self, stage: Stage, error: BaseException, request_id: str = "") -> None:
        """Note one fault. The first few of a stage go to the log, later ones only count."""
        self.counts[stage] += 1
        self.last[stage] = f"{type(error).__name__}: {error}"[:500]
        if self.counts[stage] <= _LOGGED_PER_STAGE:
            fields = {"stage": stage, "request_id": request_id} if request_id else {"stage": stage}
            log.warning("failed open", exc_info=error, extra={"fields": fields})
