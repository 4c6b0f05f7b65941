"""`python -m loadtests.evidence`: the acceptance matrix, as Markdown or JSON."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from loadtests.evidence import false_trips, power, promotions, report, routing, speed

LATE = ((1.0, 3), (6.0, 2), (6.0, 5), (24.0, 2), (24.0, 3), (24.0, 20))
PARTS = ("trips", "power", "late", "promotions", "streams", "routing", "speed")


def matrix(runs: int, seed: int, wanted: Sequence[str]) -> list[false_trips.Cell]:
    """Every cell whose `world/p0/share` holds one of the wanted texts (all without any)."""
    found = []
    for world in false_trips.WORLDS:
        for p0 in false_trips.RATES_P0:
            for share in false_trips.SHARES:
                if not wanted or any(text in f"{world}/{p0:g}/{share}" for text in wanted):
                    found.append(false_trips.measure(world, p0, share, runs, seed))
                    _say(f"{world}, p0 {p0:.1%}, share {share}: {found[-1].trips}")
    return found


def promoting(runs: int, seed: int) -> dict[str, dict[str, int]]:
    """How often each rule promotes what is worse, no better, or better."""
    worlds = {
        "3 points worse, quality and share rise": (promotions.WORSE, True),
        "no better, quality and share rise": (0.0, True),
        "better by exactly the demanded 0.01": (0.01, False),
        "better by 0.10, quality and share rise": (promotions.GOOD_GAIN, True),
        "better by 0.10": (promotions.GOOD_GAIN, False),
    }
    found = {}
    for name, (gain, drift) in worlds.items():
        pool = promotions.pool(np.random.default_rng([seed, 3, *name.encode()]), runs, gain, drift=drift)
        found[name] = {rule: int(made.sum()) for rule, made in promotions.promoted(pool).items()}
        _say(f"promotion, {name}: {found[name]}")
    return found


def streaming(runs: int, streams: int, seed: int) -> dict[str, promotions.Share]:
    """False promotions over streams of candidates, drawn from `runs` simulated ones of each kind."""
    rng = np.random.default_rng([seed, 4])
    good = promotions.pool(rng, runs, promotions.GOOD_GAIN, drift=False)
    null = promotions.pool(rng, 4 * runs, 0.0, drift=False)
    return promotions.stream_shares(rng, good, null, streams)


def _routing(seeds: int, figures: dict[str, Any]) -> str:
    if not routing.RECORDED.exists():
        return f"Bandits on recorded outcomes: skipped, there is no {routing.RECORDED}."
    found = routing.compare(seeds)
    figures["routing"] = {name: asdict(played) for name, played in found.items()}
    return report.routing(found, seeds)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """1 where the product trips more often than chance allows."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.evidence", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000, help="runs a cell")
    parser.add_argument(
        "--cells",
        nargs="*",
        default=[],
        metavar="TEXT",
        help="parts of world/p0/share, e.g. fleet, outage/0.01, /adaptive",
    )
    parser.add_argument("--parts", nargs="*", default=PARTS, choices=PARTS)
    parser.add_argument("--streams", type=int, default=100, help="streams of 1,000 candidates")
    parser.add_argument("--seeds", type=int, default=20, help="of the bandits on recorded outcomes")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="figures instead of tables")
    options = parser.parse_args(arguments)
    began, runs, seed = time.monotonic(), options.runs, options.seed
    figures: dict[str, Any] = {}
    tables: list[str] = []
    cells = matrix(runs, seed, options.cells) if "trips" in options.parts else []
    if cells:
        figures["trips"] = [asdict(cell) for cell in cells]
        tables += [report.false_trips(cells), report.others(cells)]
    if "power" in options.parts:
        harms = [power.early(ratio, runs, seed) for ratio in power.RATIOS]
        figures["power"] = [asdict(harm) for harm in harms]
        tables.append(report.power(harms))
    if "late" in options.parts:
        found = [power.late(quiet, ratio, max(runs // 5, 1), seed) for quiet, ratio in LATE]
        figures["late"] = [asdict(each) for each in found]
        tables.append(report.late(found))
    if "promotions" in options.parts:
        figures["promotions"] = promoting(runs, seed)
        tables.append(report.promotions(figures["promotions"], runs))
    if "streams" in options.parts:
        shares = streaming(runs, options.streams, seed)
        figures["streams"] = {rule: asdict(share) for rule, share in shares.items()}
        tables.append(report.streams(shares, options.streams))
    if "routing" in options.parts:
        tables.append(_routing(options.seeds, figures))
    if "speed" in options.parts:
        costs = speed.measure()
        figures["speed"] = [asdict(each) for each in costs]
        tables.append(report.speed(costs))
    print(json.dumps(figures, indent=1) if options.json else "\n\n".join(tables))
    wrong = report.exceeded(cells)
    for line in wrong:
        _say(f"more than chance allows: {line}")
    _say(f"{time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
