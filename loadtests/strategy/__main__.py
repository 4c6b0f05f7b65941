"""`python -m loadtests.strategy`: what router, cascade, consensus and repairs bring, as Markdown."""

import argparse
import asyncio
import sys

import numpy as np

from loadtests.strategy import outcomes, recorded, sandbox


def main() -> None:
    """Both parts; `--quick` takes under two minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="fewer conversations with the sandbox")
    parser.add_argument("--part", choices=("recorded", "sandbox"), help="only this one")
    options = parser.parse_args()
    if options.part != "sandbox":
        on_recorded(options.seed)
    if options.part != "recorded":
        asyncio.run(on_sandbox(options.seed, tasks=150 if options.quick else 600))


def on_recorded(seed: int) -> None:
    """Tables on recorded outcomes, or why there are none."""
    if not outcomes.RECORDED.exists():
        print(f"recorded outcomes: skipped, there is no {outcomes.RECORDED.name}", file=sys.stderr)
        return
    tuning, reported = outcomes.halves(seed)
    table = outcomes.Table.of(reported)
    weak, strong = float(table.weak.mean()), float(table.strong.mean())
    full = float(table.strong_usd.mean())
    _say(f"## Recorded outcomes: {len(reported)} questions that tuned nothing (seed {seed})\n")
    _say("| rule | area | strong calls at GPT-4 - 1 point | right | USD per 1,000 | saved |")
    _say("| --- | --- | --- | --- | --- | --- |")
    _say(f"| always weak | | 0 % | {weak:.3f} | {1000 * table.weak_usd.mean():.3f} | |")
    _say(f"| always strong | | 100 % | {strong:.3f} | {1000 * full:.3f} | 0 % |")
    found = recorded.rules(tuning, reported, seed)
    for rule in found:
        at = rule.chosen
        _say(
            f"| {rule.name} | {outcomes.area(rule.points):.4f} | {at.share:.0%} | {at.right:.3f} "
            f"| {1000 * at.usd:.3f} | {1 - at.usd / full:.1%} |"
        )
    _say("\nCurves: right answers by share of calls to the strong model (settings were chosen on the tuning half)\n")
    shares = np.linspace(0.0, 1.0, 11)
    _say("| rule | " + " | ".join(f"{share:.0%}" for share in shares) + " |")
    _say("| --- |" + " --- |" * len(shares))
    for rule in found:
        nearest = [min(rule.points, key=lambda p: abs(p.share - share)).right for share in shares]
        _say(f"| {rule.name} | " + " | ".join(f"{right:.3f}" for right in nearest) + " |")
    _subjects(recorded.subjects(tuning, reported, seed))


def _subjects(rows: list[tuple[str, int, float, float, float, float]]) -> None:
    _say("\n| subject | questions | weak | strong | router at half the calls | its strong calls |")
    _say("| --- | --- | --- | --- | --- | --- |")
    for name, count, weak, strong, routed, share in rows:
        _say(f"| {name} | {count} | {weak:.3f} | {strong:.3f} | {routed:.3f} | {share:.0%} |")


async def on_sandbox(seed: int, tasks: int) -> None:
    """Paired differences through a real gateway; the sandbox has no model inside and says nothing about real ones."""
    _say(f"\n## Sandbox, through the gateway: {tasks} tasks each, paired (seed {seed}; 95 % intervals)\n")
    _say("| strategy against | tasks | right | valid | USD per 1,000 | p50 ms |")
    _say("| --- | --- | --- | --- | --- | --- |")
    for pair in sandbox.PAIRS:
        compared = await sandbox.compare(pair, seed, tasks)
        shown = (
            pair.name,
            pair.about,
            compared.right,
            compared.valid,
            compared.usd,
            "{:.0f} / {:.0f}".format(*compared.ms),
        )
        _say(f"| {' | '.join(map(str, shown))} |")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
