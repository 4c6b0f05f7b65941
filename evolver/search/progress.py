"""A progress bar for whoever watches a search in a terminal; nothing where nobody does."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from evolver.search.values import Generation

Tell = Callable[[Generation], None]


@contextmanager
def progress(what: str, generations: int, *, console: Console | None = None) -> Iterator[Tell]:
    """Gives the `on_generation` of a search.

    Args:
        what: whose search it is.
        generations: at most so many after the seeds' own race.
        console: where to draw; default: standard error. Drawn only where it is a terminal.
    """
    console = console or Console(file=sys.stderr)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=generations + 1, said="")

        def tell(line: Generation) -> None:
            said = f"quality {line.best_quality:.3f}, {line.calls} calls, ${line.usd:.4f}"
            bar.update(task, completed=line.number + 1, said=said)

        yield tell
