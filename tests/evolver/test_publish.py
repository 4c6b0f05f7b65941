"""Prompt files: ours are written, somebody else's are proposed, bad ones reported once."""

import json
import logging

import pytest

from evolver.publish import FOLDER, PromptFiles, publish, read, text_of
from tests.evolver.support import POLICY, RULE, World, with_rule


def write(world: World, name: str, content: str) -> None:
    folder = world.home / FOLDER
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(content, encoding="utf-8")


async def test_a_hand_written_file_is_proposed_once(world: World) -> None:
    files = PromptFiles({})
    write(world, "p_v9_0.json", json.dumps({"text": f"{RULE}\n\nNever guess."}))
    assert await files.look(world.context()) == 1
    assert await files.look(world.context()) == 0
    assert await PromptFiles({}).look(world.context()) == 0
    (candidate,) = await world.registry.candidates(POLICY)
    assert [rule.text for rule in candidate.genome.prompt.rubric] == [RULE, "Never guess."]
    assert (candidate.lineage.source, candidate.state, candidate.layer) == ("operator", "proposed", "prompt")
    assert candidate.genome.strategy == world.production.genome.strategy


async def test_an_edited_file_is_proposed_again(world: World) -> None:
    files = PromptFiles({})
    write(world, "p_v9_0.json", json.dumps({"text": "First."}))
    await files.look(world.context())
    write(world, "p_v9_0.json", json.dumps({"text": "The second wording."}))
    assert await files.look(world.context()) == 1


async def test_our_own_files_are_not_proposed_to_ourselves(world: World) -> None:
    genome = with_rule(world.production.genome, "Say the number first.")
    version = await world.registry.add_version(
        POLICY, genome, world.production.lineage, who="evolver", why="proven", now=world.now
    )
    path = await publish(world.context(), version, world.production)
    assert path.name == "p_v1_1.json"
    assert json.loads(path.read_text())["text"] == text_of(genome)
    assert await PromptFiles({}).look(world.context()) == 0


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"text": 1}',
        '{"text": "  "}',
        json.dumps({"text": "x" * 5_000}),
        json.dumps({"text": RULE}),
    ],
)
async def test_bad_files_are_reported_once(world: World, content: str, caplog: pytest.LogCaptureFixture) -> None:
    write(world, "p_bad.json", content)
    files = PromptFiles({})
    with caplog.at_level(logging.WARNING, "evolver.publish"):
        assert await files.look(world.context()) == 0
        assert await files.look(world.context()) == 0
        assert await PromptFiles({}).look(world.context()) == 0
    assert len([record for record in caplog.records if "not proposed" in record.message]) == 1
    assert await world.registry.candidates(POLICY) == []


def test_reading_keeps_the_other_genes(world: World) -> None:
    base = world.production.genome
    genome = read(json.dumps({"text": "One.\n\nTwo.\n\nOne."}).encode(), base)
    assert [rule.text for rule in genome.prompt.rubric] == ["One.", "Two."]
    assert genome.changed_layers(base) == ("prompt",)
