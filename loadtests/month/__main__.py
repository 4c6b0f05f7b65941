"""`python -m loadtests.month`: thirty days on a fast clock; exit code 1 where a promotion was false, or few were true.

The sandbox, a gateway and an evolver run as processes. A day lasts `--day-s` seconds: periods are scaled by it,
thresholds never. What the application asks drifts; the provider goes away for a day; for six days some users inject
instructions; the evolver is killed in the midst of a cycle, and the gateway while it serves.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

from loadtests.month.play import CONFIG, Month
from loadtests.month.report import ENOUGH, Report, report, show
from policies.errors import EvoGateError


@click.command(help=__doc__)
@click.option("--day-s", type=click.FloatRange(min=1.0), default=20.0, show_default=True, help="Seconds of a day.")
@click.option("--rate", type=click.FloatRange(min=1.0), default=45.0, show_default=True, help="Conversations a second.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of world and traffic.")
@click.option("--wanted", type=click.IntRange(0), default=ENOUGH, show_default=True, help="True promotions, at least.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("build/month"), show_default=True)
def main(day_s: float, rate: float, seed: int, wanted: int, output: Path) -> None:
    """Play it, judge it, print and store what came of it."""
    output = output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{seed}-", dir=output))
    try:
        found = asyncio.run(play(folder, day_s=day_s, rate=rate, seed=seed, wanted=wanted))
    except EvoGateError as error:
        click.echo(f"month: {error}", err=True)
        sys.exit(2)
    show(found, Console(width=160))
    (folder / "report.json").write_text(json.dumps(found.to_dict(), indent=2), encoding="utf-8")
    click.echo(f"logs, recordings and the report stay in {folder}")
    sys.exit(0 if found.passed else 1)


async def play(folder: Path, *, day_s: float, rate: float, seed: int, wanted: int = ENOUGH) -> Report:
    """One month in that folder."""
    played = await Month(folder / "home", seed=seed, day_s=day_s, rate=rate).play()
    return await report(played, folder / CONFIG, seed=seed, wanted=wanted)


if __name__ == "__main__":
    main()
