"""How fast recordings become rows and findings, and in how much memory: `python -m loadtests.ingest_bench`.

Half of `--records`, then all of them, each read and analysed by a process of its own: time and memory of the two show
whether they grow with the records or faster. `--quick` takes 100,000 instead of 1,000,000.
"""

import argparse
import asyncio
import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import orjson

from evolver.analysis import analyze
from evolver.intents.learn import first_words, trained_on
from evolver.store import Store
from gateway.recording import SpoolWriter

POLICY = "support"
RATE = 20_000  # records a second, on one core
SECONDS = 60.0  # for a million
MEGABYTES = 1_000
EXAMPLES = 2_000
_TOPICS = (
    "please extract vendor total amount due date from this invoice as json",
    "is this review of our product happy or angry and how sure are you",
    "add these numbers multiply by seven and tell me the remainder",
    "what will the weather be like tomorrow with rain wind and temperature",
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One process: seconds of processor time, and its peak of resident memory in megabytes."""

    records: int
    ingest_s: float
    analysis_s: float
    findings: int
    megabytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="100,000 records")
    arguments = parser.parse_args()
    records = 100_000 if arguments.quick else arguments.records
    found = [_fresh(count) for count in (records // 2, records)]
    for one in found:
        print(
            f"{one.records:>9,} records: ingest {one.ingest_s:6.2f} s ({one.records / one.ingest_s:7,.0f} a second), "
            f"analysis {one.analysis_s:5.2f} s, {one.findings} findings, peak {one.megabytes:4.0f} MB"
        )
    half, whole = found
    per_record = whole.ingest_s / whole.records / (half.ingest_s / half.records)
    print(f"twice the records: {per_record:.2f} times the seconds a record, {whole.megabytes - half.megabytes:+.0f} MB")
    million_s = whole.ingest_s / whole.records * 1e6 + whole.analysis_s
    print(f"a million records {'took' if whole.records == 1_000_000 else 'would take'} {million_s:.0f} s")
    met = whole.records / whole.ingest_s >= RATE and million_s <= SECONDS and whole.megabytes <= MEGABYTES
    print(f"target: {RATE:,} a second, {SECONDS:.0f} s, {MEGABYTES:,} MB; {'met' if met else 'missed'}")


def _fresh(records: int) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write(home / "spool" / "w0", records)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            return pool.submit(measured, home, records).result()


def measured(home: Path, records: int) -> Measured:
    """Read and analyse a folder, in this process."""
    return asyncio.run(_measured(home, records))


async def _measured(home: Path, records: int) -> Measured:
    async with Store(home / "analysis.db", home / "spool") as store:
        began = time.process_time()
        read = 0
        while frames := await store.ingest():
            read += frames
        ingested = time.process_time()
        assert read == records, (read, records)
        examples = await store.examples(POLICY, limit=EXAMPLES)
        findings = analyze(examples, policy=POLICY, now=time.time())
        trained_on(first_words(examples), None)
        analysed = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(records, ingested - began, analysed - ingested, len(findings), peak)


def write(folder: Path, records: int, *, seed: int = 1) -> None:
    """Conversations of two turns; each turn is two records, and each tenth conversation ends with a third."""
    rng = Random(seed)
    writer = SpoolWriter(folder, segment_bytes=64 << 20)
    written = number = 0
    while written < records:
        for frame in _conversation(number, rng)[: records - written]:
            writer.append(orjson.dumps(frame))
            written += 1
        number += 1
        if number % 500 == 0:
            writer.flush()
    writer.close()


def _conversation(number: int, rng: Random) -> list[dict[str, Any]]:
    unit, at = f"{number:016x}", 1_760_000_000.0 + number
    topic = rng.randrange(len(_TOPICS))
    frames = [frame for turn in (1, 2) for frame in _exchange(unit, turn, at + turn, topic, rng)]
    if number % 10 == 0:
        told = {"id": frames[0]["id"], "at": at + 9, "policy": POLICY, "unit": unit}
        frames.append({"t": "signal", "v": 1, "kind": "feedback", "data": {"score": 0.0, "key": unit}, **told})
    return frames


def _exchange(unit: str, turn: int, at: float, topic: int, rng: Random) -> list[dict[str, Any]]:
    name = f"{int(at * 1000):012x}-{unit}-{turn}"
    words = _TOPICS[topic].split()
    text = " ".join(rng.choices(words, k=40))
    body = {"model": POLICY, "messages": [{"role": "user", "content": text}], "stream": False}
    failure = "invalid_output" if rng.random() < (0.2 if topic == 1 else 0.02) else None
    answer = {"text": text[::-1], "tool_calls": [], "finish_reason": "stop"}
    assignment = {
        "t": "assignment", "v": 1, "id": name, "at": at, "writer": "w0", "policy": POLICY, "epoch": 1, "unit": unit,
        "turn": turn, "arms": [("a" * 32, 1.0)], "arm": "a" * 32, "role": "production", "version": "v1.0",
        "candidate": None, "experiment": None, "first": False, "why": "only" if turn == 1 else "pin",
        "path": "/v1/chat/completions", "stream": False, "model": POLICY, "intent": "", "body": body,
        "rendered": "0" * 16, "memory": [],
    }  # fmt: skip
    outcome = {
        "t": "outcome", "v": 1, "id": name, "at": at + 0.5, "status": 200, "answer": answer, "model": "large",
        "first_byte_ms": 90.0, "last_byte_ms": 300.0 + 200.0 * rng.random(), "input_tokens": 80, "cached_tokens": 0,
        "output_tokens": 60, "cost_usd": 0.0004, "failure": failure, "detail": "json_schema" if failure else "",
        "validators": {"json_schema": 0.0 if failure else 1.0}, "repairs": 0, "attempts": 1,
        "reward": 0.0 if failure else 0.9,
    }  # fmt: skip
    return [assignment, outcome]


if __name__ == "__main__":
    main()
