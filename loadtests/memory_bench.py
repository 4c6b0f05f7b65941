"""How fast and how large a memory is: `python -m loadtests.memory_bench`, about a minute on one core.

Entries and queries are drawn from words as frequent as in prose (Zipf's law), so that common words have long posting
lists. Queries come to each index in turn in one process, the dictionary of posting lists that EvoGate began with beside
the arrays it uses now: the machine may be busy, ratios stay. Times are processor time of the calling thread.
"""

import math
import multiprocessing
import random
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

import click

from policies.memory import Entry, Index
from policies.memory.words import words

SIZES = (10_000, 100_000)
GOAL_MS = {10_000: 1.0, 100_000: 2.0}
GOAL_MB = 300.0
QUERIES = 2_000
K = 5
WORDS = 60_000  # of the language
_SHORTEST, _LONGEST = 15, 60  # words of an entry


class Prose:
    """Words as often as in prose: the n-th with a frequency of 1 / (n + 2.7)."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._weights = list(accumulate(1.0 / (rank + 2.7) for rank in range(WORDS)))

    def words(self, count: int) -> list[str]:
        """So many words."""
        return [f"w{rank:x}" for rank in self._rng.choices(range(WORDS), cum_weights=self._weights, k=count)]

    def entries(self, count: int) -> Iterator[Entry]:
        """So many entries."""
        for number in range(count):
            yield Entry(f"e{number:07d}", " ".join(self.words(self._rng.randint(_SHORTEST, _LONGEST))))

    def query(self) -> str:
        """A question of 4 to 40 words."""
        return " ".join(self.words(self._rng.randint(4, 40)))


class Dictionary:
    """The same ranking as lists of tuples in a dictionary, every score in a dictionary: what the ratio is to."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries
        counts = [Counter(words(entry.text)) for entry in entries]
        lengths = [counter.total() for counter in counts]
        average = sum(lengths) / len(lengths)
        found: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, counter in enumerate(counts):
            norm = 1.2 * (0.25 + 0.75 * lengths[number] / average)
            for word, count in counter.items():
                found[word].append((number, count * 2.2 / (count + norm)))
        self._postings = {word: (_idf(len(entries), len(hits)), hits) for word, hits in found.items()}

    def top(self, query: str, k: int) -> list[tuple[Entry, float]]:
        """The best `k`."""
        known = sorted(set(words(query)) & self._postings.keys())
        rarest = sorted((self._postings[word] for word in known), key=lambda posting: -posting[0])[:16]
        scores: defaultdict[int, float] = defaultdict(float)
        for idf, hits in rarest:
            for number, weight in hits:
                scores[number] += idf * weight
        ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        return [(self._entries[number], score) for number, score in ranked[:k]]


def _idf(entries: int, holding: int) -> float:
    return math.log(1 + (entries - holding + 0.5) / (holding + 0.5))


def resident_mb() -> float:
    """Resident memory of this process now, in megabytes (10^6 bytes)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def peak_mb() -> float:
    """The most that this program has had resident, in megabytes; the usage of resources would tell its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def weigh(size: int, tell: Callable[[tuple[float, ...]], None]) -> None:
    """In a process of its own: megabytes before and after, at the most, and seconds to build."""
    before, began = resident_mb(), time.process_time()
    index = Index(Prose(1).entries(size))
    took = time.process_time() - began
    assert index.top("w1", 1)
    tell((before, resident_mb(), peak_mb(), took))


def weighed(size: int) -> tuple[float, ...]:
    """What `weigh` tells."""
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=weigh, args=(size, writer.send))
    process.start()
    found: tuple[float, ...] = reader.recv()
    process.join()
    return found


def timed(top: Callable[[str, int], object], query: str) -> float:
    """Milliseconds of processor time of one query."""
    began = time.thread_time_ns()
    top(query, K)
    return (time.thread_time_ns() - began) / 1e6


def quantile(values: list[float], share: float) -> float:
    """The nearest-rank quantile."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def compare(size: int, queries: int, old_queries: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each query: the arrays', and (of every so many) the dictionary's."""
    entries = list(Prose(1).entries(size))
    new, old, prose = Index(entries), Dictionary(entries), Prose(2)
    asked = [prose.query() for _ in range(queries)]
    ours: list[float] = []
    theirs: list[float] = []
    for number, query in enumerate(asked):
        ours.append(timed(new.top, query))
        if number % max(1, queries // old_queries) == 0:
            theirs.append(timed(old.top, query))
            ranks = [[entry.id for entry, _ in index.top(query, K)] for index in (new, old)]
            assert ranks[0] == ranks[1], f"the two rank {query!r} differently: {ranks}"
    return ours, theirs


@click.command()
@click.option("--queries", default=QUERIES, show_default=True)
@click.option("--old-queries", default=100, show_default=True, help="Of these, asked of the dictionary as well.")
def main(queries: int, old_queries: int) -> None:
    """Print a table; exit code 1 where a goal is missed."""
    click.echo("| entries | p50 ms | p99 ms | goal | dictionary p50 | ratio p50 | MB (of it Python) | peak | build s |")
    click.echo("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    missed = False
    for size in SIZES:
        before, after, peak, build_s = weighed(size)
        ours, theirs = compare(size, queries, old_queries)
        half, most, other = quantile(ours, 0.5), quantile(ours, 0.99), quantile(theirs, 0.5)
        missed |= most > GOAL_MS[size] or peak > GOAL_MB
        click.echo(
            f"| {size:,} | {half:.3f} | {most:.3f} | {GOAL_MS[size]:.0f} | {other:.2f} | {other / half:.0f} "
            f"| {after:.0f} ({before:.0f}) | {peak:.0f} | {build_s:.1f} |"
        )
    sys.exit(missed)


if __name__ == "__main__":
    main()
