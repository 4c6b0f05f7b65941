"""What a run came to, held against the marks that were set for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

# name -> (what is reached, at most or at least): levels after, and what is left of the figure before
LEVELS = {"quality": 0.92, "robustness": 0.95}
REMAINS = {"p95_ms": 0.40, "cost_usd_per_request": 0.40}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seed: the demo's report, and when each version came into production (seconds)."""

    seed: int
    found: dict[str, Any]
    versions_at: dict[str, float]

    @property
    def marks(self) -> dict[str, bool]:
        """Each mark, and whether it was reached; all missed where nothing was promoted."""
        before, after = self.found["before"], self.found["after"]
        if not before.get("quality", {}).get("n") or not after.get("quality", {}).get("n"):
            return dict.fromkeys((*LEVELS, *REMAINS), False)
        reached = {name: after[name]["mean"] >= level for name, level in LEVELS.items()}
        return reached | {name: after[name]["mean"] <= left * before[name]["mean"] for name, left in REMAINS.items()}

    @property
    def passed(self) -> bool:
        """All marks, and no answer lost on the way."""
        return all(self.marks.values()) and not self.found["records_lost"]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"seed": self.seed, "marks": self.marks, "versions_at_s": self.versions_at, **self.found}


def show(outcomes: Sequence[Outcome], console: Console) -> None:
    """A line for each seed and figure, and how each version came about."""
    table = Table(title="before and after, conversations drawn half and half (95 % intervals)")
    for column in ("seed", "figure", "before", "after", "change", "mark"):
        table.add_column(column)
    for one in outcomes:
        for name, reached in one.marks.items():
            before, after = one.found["before"].get(name), one.found["after"].get(name)
            change = f"{after['mean'] / before['mean'] - 1:+.0%}" if before and after and before["mean"] else ""
            table.add_row(str(one.seed), name, _figure(before), _figure(after), change, "yes" if reached else "MISSED")
    console.print(table)
    for one in outcomes:
        for step in one.found["versions"]:
            at = one.versions_at.get(step["version"], 0.0)
            console.print(f"seed {one.seed}, {at:4.0f} s: {step['version']} {step['operator']}: {step['why']}")


def _figure(measured: dict[str, float] | None) -> str:
    if not measured or not measured["n"]:
        return "—"
    return f"{measured['mean']:.4g} ({measured['low']:.4g} to {measured['high']:.4g}), n = {measured['n']}"
