"""The figures as Markdown tables."""

from collections.abc import Iterable, Sequence
from math import isfinite

from scipy.stats import binom

from loadtests.evidence.false_trips import OURS, RATES_P0, SHARES, Cell
from loadtests.evidence.power import ALPHA, P0, PER_S, SHARE, UNITS, Harm, Late
from loadtests.evidence.promotions import Share
from loadtests.evidence.routing import Played
from loadtests.evidence.speed import Figure


def bound(runs: int, probability: float) -> int:
    """The count that `runs` runs exceed with probability at most 0.1 %."""
    return int(binom.ppf(0.999, runs, probability))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


def false_trips(cells: Sequence[Cell]) -> str:
    """Worlds by failure rate; in each place the shares' counts at 1 %, then the same at 5 %."""
    blocks = []
    for name, alpha in zip(OURS, (0.01, 0.05), strict=True):
        runs = cells[0].runs
        most = bound(runs, alpha)
        rows = [
            [world, *(_counts(cells, world, p0, name, most) for p0 in RATES_P0)]
            for world in dict.fromkeys(cell.world for cell in cells)
        ]
        title = (
            f"False trips of an identical candidate in {runs} runs at alpha = {alpha:.0%}: at most {most} "
            f"(99.9 % binomial bound); in each place the shares {', '.join(SHARES)}."
        )
        blocks += [title, table(["world", *(f"p0 = {p0:.1%}" for p0 in RATES_P0)], rows)]
    return "\n\n".join(blocks)


def _counts(cells: Sequence[Cell], world: str, p0: float, name: str, most: int) -> str:
    here = {cell.share: cell.trips[name] for cell in cells if cell.world == world and cell.p0 == p0}
    return " · ".join(
        f"**{here[share]}**" if here[share] > most else str(here[share]) for share in SHARES if share in here
    )


def exceeded(cells: Sequence[Cell]) -> list[str]:
    """The cells in which the product trips more often than chance allows."""
    return [
        f"{cell.world}, p0 {cell.p0}, share {cell.share}: {cell.trips[name]} trips at {name}"
        for cell in cells
        for name, alpha in zip(OURS, (0.01, 0.05), strict=True)
        if cell.trips[name] > bound(cell.runs, alpha)
    ]


def others(cells: Sequence[Cell]) -> str:
    """The rules of others at a share of 0.2: the range over p0 of the part of runs that they trip in."""
    rules = list(dict.fromkeys(rule for cell in cells for rule in cell.trips if rule not in OURS))
    rows = []
    for world in dict.fromkeys(cell.world for cell in cells):
        here = [cell for cell in cells if cell.world == world and cell.share == "0.2"]
        if here:
            rows.append([world, _range(here, OURS[0]), *(_range(here, rule) for rule in rules)])
    title = (
        "The same worlds at a share of 0.2, least to most over p0: how many runs each rule takes the candidate back in."
    )
    return f"{title}\n\n" + table(["world", "EvoGate, 1 %", *rules], rows)


def _range(cells: Sequence[Cell], rule: str) -> str:
    found = sorted(cell.trips[rule] / cell.runs for cell in cells if rule in cell.trips)
    return f"{found[0]:.1%} to {found[-1]:.1%}" if found else "-"


def power(harms: Sequence[Harm]) -> str:
    title = (
        f"Harmful candidates (share {SHARE}, p0 = {P0:.0%}, alpha = {ALPHA:.0%}, {PER_S:.0f} requests a second, "
        f"at most {UNITS:,} of them): the candidate's requests until E reaches 1/alpha, and how many runs other rules "
        "reject in."
    )
    rules = list(harms[0].others)
    head = [
        "harm", "found", "median", "90 %", "median, all channels", "delay", "excess failures", *rules,
    ]  # fmt: skip
    rows = [
        [
            f"{harm.ratio}x",
            f"{harm.found / harm.runs:.1%}",
            f"{harm.requests:.0f}",
            f"{harm.requests_p90:.0f}",
            f"{harm.combined:.0f}",
            f"{harm.delay_s:.0f} s",
            f"{harm.excess:.0f}",
            *(f"{harm.others[rule] / harm.runs:.1%}" for rule in rules),
        ]
        for harm in harms
    ]
    return f"{title}\n\n" + table(head, rows)


def late(found: Sequence[Late]) -> str:
    title = (
        f"Harm that begins late (share {SHARE}, p0 = {P0:.0%}, 1 request a second): median minutes from its onset to "
        "E >= 100, with all capital at once and with later starts (the product)."
    )
    rows = [
        [f"{each.quiet_h:g} h, then {each.ratio}x", _minutes(each.all_at_once_min), _minutes(each.with_starts_min)]
        for each in found
    ]
    return f"{title}\n\n" + table(["harmless for", "all at once", "with later starts"], rows)


def _minutes(value: float) -> str:
    return f"{value:.0f}" if isfinite(value) else "not seen"


def promotions(found: dict[str, dict[str, int]], runs: int) -> str:
    """`found` holds for each world the runs in which each rule promotes."""
    rules = list(next(iter(found.values())))
    rows = [[world, *(f"{counts[rule] / runs:.1%}" for rule in rules)] for world, counts in found.items()]
    title = f"Promotions of one candidate in {runs} runs of 4,000 conversations (EvoGate: the first of its stream)."
    return f"{title}\n\n" + table(["candidate", *rules], rows)


def streams(found: dict[str, Share], count: int) -> str:
    title = (
        f"{count} streams of 1,000 candidates, of which 10 % are better by 0.10 and the others no better: the share of "
        "false promotions among all, mean of the streams (e-LOND promises at most 10 %)."
    )
    rows = [[rule, f"{each.false:.1%}", f"{each.power:.1%}", f"{each.promotions:.0f}"] for rule, each in found.items()]
    return f"{title}\n\n" + table(["rule", "false", "good ones promoted", "promotions a stream"], rows)


def routing(found: dict[str, Played], seeds: int) -> str:
    title = (
        f"Bandits on recorded outcomes of two real models (the half that tuned nothing, {seeds} orders): the cheap one "
        "is production, the dear one better by 0.05 in the mean."
    )
    rows = [
        [name, f"{each.reward:.0f}", f"{each.regret:.1f}", f"{each.regret_sd:.1f}", f"{each.best_share:.1%}"]
        for name, each in found.items()
    ]
    return f"{title}\n\n" + table(["bandit", "reward", "regret", "sd", "pulls of the better"], rows)


def speed(found: Iterable[Figure]) -> str:
    """Seconds and passes of the fixed loop."""
    rows = [
        [each.name, _time(each.each_s), _time(each.goal_s), "yes" if each.met else "**no**", f"{each.loops:,.0f}"]
        for each in found
    ]
    title = "Processor time; beside it in passes of a fixed loop of the interpreter, measured side by side."
    return title + "\n\n" + table(["what", "takes", "goal", "met here", "passes of the loop"], rows)


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.1f} us"
