"""What came of a verification: counts of what came out again and of what could not, or the first difference."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Difference = tuple[str, object, object]


class DiffersError(Exception):
    """Something on record does not come out again: which record, what was recorded, what comes out."""

    def __init__(self, record: str, what: str, recorded: object, computed: object) -> None:
        super().__init__(f"{record}: {what}: recorded {_short(recorded)}, computed {_short(computed)}")


@dataclass(slots=True)
class Report:
    """Counts by kind. `left_out` names what could not be computed again, and why."""

    right: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)


def first_difference(what: str, recorded: Any, computed: Any) -> Difference | None:
    """(what, recorded, computed) of the first value that differs; objects are looked into key by key.

    Only what stands on both sides is compared: records of another version may have more or fewer keys.
    """
    if isinstance(recorded, dict) and isinstance(computed, dict):
        both = (key for key in computed if key in recorded)
        found = (first_difference(f"{what}.{key}", recorded[key], computed[key]) for key in both)
        return next((difference for difference in found if difference is not None), None)
    return None if recorded == computed else (what, recorded, computed)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
