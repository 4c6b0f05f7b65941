"""`evogate export`: from a data folder to files, lines and counts; whatever is wrong is said."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from evolver.golden.__main__ import main
from tests.evolver.support import POLICY, World, exchange, make_settings, signal, with_rule


async def recorded(world: World, count: int = 120) -> None:
    """Every third answer was corrected, the others were called right; two in each ten ask nearly the same."""
    frames: list[object] = []
    for number in range(count):
        place = number - 1 if number % 10 == 1 else number
        order = f"order {place * 7919} of customer number {place * 31}"
        text = f"How many {chr(97 + place % 26)}{place} boxes does {order} need today"
        frames += exchange(number, at=world.now - 1_000 + number, text=text, answer=str(number))
        data = {"score": 0.0, "correction": f"{number} boxes"} if number % 3 == 0 else {"score": 1.0}
        frames.append(signal(number, "feedback", data, at=world.now))
    await world.record(frames)  # type: ignore[arg-type]
    await world.registry.set_state("policies", {"names": [POLICY]})


async def export(home: Path, *more: str, status: int = 0) -> str:
    """What the command printed, run by itself in a thread."""
    done = await asyncio.to_thread(CliRunner().invoke, main, ["--home", str(home), *more])
    assert done.exit_code == status, done.output
    return done.stderr if status else done.stdout


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_golden_files_with_a_manifest(world: World, tmp_path: Path) -> None:
    await recorded(world)
    hand = tmp_path / "hand.jsonl"
    hand.write_text('{"input": "What is the largest box?", "expected": "XL", "anchor": true}\n', encoding="utf-8")
    out = tmp_path / "out"
    options = ("--golden", "--limit", "60", "--min-quality", "0.9", "--hand-written", str(hand), "--out", str(out))
    facts = json.loads(await export(world.home, *options, "--json"))
    splits = {name: rows(out / f"{name}.jsonl") for name in ("train", "validation", "test", "anchors")}
    assert {name: len(found) for name, found in splits.items()} == {name: facts[name] for name in splits}
    assert sum(map(len, splits.values())) == 61
    assert facts["duplicates"] == 12
    assert any(row["source"] == "hand" for row in splits["anchors"])
    assert json.loads((out / "manifest.json").read_text())["kind"] == "golden"
    ids = [row["id"] for found in splits.values() for row in found]
    assert len(set(ids)) == len(ids)


async def test_fine_tuning_lines_hold_the_training_split_alone(world: World, tmp_path: Path) -> None:
    await recorded(world)
    lines = [json.loads(line) for line in (await export(world.home, "--fine-tuning")).splitlines()]
    golden = [json.loads(line) for line in (await export(world.home, "--golden")).splitlines()]
    training = [row for row in golden if row["split"] == "train"]
    assert 0 < len(lines) == len(training) < len(golden)
    assert [line["messages"][-1] for line in lines] == [
        {"role": "assistant", "content": row["expected"]} for row in training
    ]
    assert all(set(line) == {"messages"} for line in lines)


async def test_what_production_says_already_only_trains(world: World) -> None:
    await recorded(world)
    golden = [json.loads(line) for line in (await export(world.home, "--golden")).splitlines()]
    tested = next(row for row in golden if row["split"] == "test")
    genome = with_rule(world.production.genome, f"When asked: {tested['messages'][0]['content']} - say so.")
    await world.candidate(genome=genome)
    again = [json.loads(line) for line in (await export(world.home, "--golden")).splitlines()]
    assert next(row for row in again if row["id"] == tested["id"])["split"] == "train"


async def test_a_configured_set_is_taken(world: World, tmp_path: Path) -> None:
    await recorded(world, 6)
    hand, config = tmp_path / "hand.jsonl", tmp_path / "evogate.yaml"
    hand.write_text('{"input": "What is the largest box?", "expected": "XL"}\n', encoding="utf-8")
    settings = make_settings(policy={"golden_file": str(hand)}).model_dump(mode="json", exclude_defaults=True)
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    lines = (await export(world.home, "--golden", "--config", str(config))).splitlines()
    assert any(json.loads(line)["source"] == "hand" for line in lines)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--golden or --fine-tuning"),
        (("--golden", "--limit", "0"), "--limit"),
        (("--golden", "--min-quality", "2"), "--min-quality"),
        (("--golden", "--policy", "nobody"), "no policy 'nobody'"),
        (("--golden", "--json"), "--out"),
        (("--golden", "--hand-written", "/nonexistent"), "can't be read"),
    ],
)
async def test_bad_usage_is_one_line(world: World, options: tuple[str, ...], said: str) -> None:
    await recorded(world, 3)
    assert said in await export(world.home, *options, status=2)


async def test_a_folder_without_data(tmp_path: Path) -> None:
    assert "no EvoGate data" in await export(tmp_path, "--golden", status=2)


async def test_nothing_recorded_gives_empty_files(world: World, tmp_path: Path) -> None:
    await world.registry.set_state("policies", {"names": [POLICY]})
    said = await export(world.home, "--golden", "--out", str(tmp_path / "out"))
    assert said.startswith("0 train, 0 validation, 0 test, 0 anchors")


def test_the_command_hands_over_to_the_evolver(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from gateway.cli import main; main()", "export", "--home", str(tmp_path)]
    done = subprocess.run([*command, "--golden"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("evogate export: ")
    assert "no EvoGate data" in done.stderr
