"""`python -m loadtests.improve`: from a poor genome to the best that the loop finds in some minutes, seed by seed.

Sandbox, gateway and evolver run as processes; an application sends conversations by the official client and rates what
it gets. Every step goes through gates, shadow, judge and canary, with the demo's thresholds. At the end new
conversations are drawn half and half to the first version and the last: these are the figures before and after.
Exit code 1 where a mark was missed.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

import click
import orjson
from rich.console import Console

from loadtests.improve.report import Outcome, show
from loadtests.improve.run import improve
from policies.errors import EvoGateError


@click.command(help=__doc__)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Worlds, one after the other.")
@click.option("--first", type=int, default=1, show_default=True, help="The first seed.")
@click.option("--minutes", type=click.FloatRange(min=1.0), default=8.0, show_default=True, help="Of improvement.")
@click.option("--closing-s", type=click.FloatRange(min=10.0), default=45.0, show_default=True, help="Of comparison.")
@click.option("--rate", type=click.FloatRange(min=1.0), default=40.0, show_default=True, help="Conversations a second.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("build/improve"), show_default=True)
def main(*, seeds: int, first: int, as_json: bool, output: Path, **lasting: float) -> None:
    """Run the seeds, print and store what each came to."""
    output = output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    try:
        for seed in range(first, first + seeds):
            folder = Path(tempfile.mkdtemp(prefix=f"{seed}-", dir=output))
            outcome = asyncio.run(improve(folder, seed=seed, **lasting))
            (folder / "report.json").write_bytes(orjson.dumps(outcome.to_dict(), option=orjson.OPT_INDENT_2))
            click.echo(f"seed {seed}: recordings, logs and the report stay in {folder}", err=True)
            outcomes.append(outcome)
    except EvoGateError as error:
        click.echo(f"improve: {error}", err=True)
        sys.exit(2)
    if as_json:
        click.echo(orjson.dumps([one.to_dict() for one in outcomes], option=orjson.OPT_INDENT_2).decode())
    else:
        show(outcomes, Console(width=150))
    sys.exit(0 if all(one.passed for one in outcomes) else 1)


if __name__ == "__main__":
    main()
