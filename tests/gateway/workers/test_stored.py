"""Conversations that a provider stores keep their arm over workers, as those that clients send whole do."""

import asyncio
import sys
from pathlib import Path

from gateway.workers.pins import SharedPins, Table
from gateway.workers.stored import SharedAnswers
from policies.pins import Pin
from policies.render.turns import Turns
from policies.unit import Lineages
from tests.gateway.workers.conftest import Several, several

CONVERSATIONS, TURNS = 24, 4
UNIT = "00000000000000a7"


async def _converse(gateway: Several, name: int) -> list[str]:
    """The ids of one conversation's requests, each over a connection of its own."""
    ids: list[str] = []
    parent: dict[str, str] = {}
    for turn in range(TURNS):
        body = {"model": "sandbox-large", "input": f"{name}: turn {turn}", **parent}
        async with gateway.http.post(f"{gateway.url}/v1/responses", json=body) as answer:
            assert answer.status == 200, await answer.text()
            parent = {"previous_response_id": (await answer.json())["id"]}
            ids.append(answer.headers["x-evogate-request-id"])
    return ids


async def test_a_stored_conversation_keeps_its_arm_over_workers(sandbox: str, tmp_path: Path) -> None:
    policy = {"match": {"path": "/v1/responses", "model": "sandbox-*"}}
    async with several(sandbox, tmp_path, policy=policy) as gateway:
        await gateway.canary("Answer briefly.")
        conversations = await asyncio.gather(*(_converse(gateway, name) for name in range(CONVERSATIONS)))
        frames = {frame["id"]: frame for frame in gateway.frames("assignment")}
    moved = 0
    for ids in conversations:
        turns = [frames[one] for one in ids]
        assert len({(turn["unit"], turn["arm"]) for turn in turns}) == 1
        assert [(turn["turn"], turn["why"]) for turn in turns] == [(1, "draw"), (2, "pin"), (3, "pin"), (4, "pin")]
        moved += len({turn["writer"] for turn in turns}) > 1
    assert moved, "some of them reached both workers"


def test_what_one_worker_keeps_the_others_find() -> None:
    table = Table.create(64)
    first, second = (Lineages() for _ in range(2))
    for lineages in (first, second):
        lineages.shared = SharedAnswers(Table(table.descriptor, 64))
    first.answered(Turns(), "resp_1", UNIT, 1)
    assert second.find("resp_1") == (UNIT, 1)
    assert second.find("resp_2") is None
    in_conversation = Turns(1, False, parent="conv_1")
    first.answered(in_conversation, "", UNIT, 1)
    second.answered(in_conversation, "", UNIT, 2)
    assert first.find("conv_1") == (UNIT, 2), "the other's turn is the later one"


def test_answers_and_pins_leave_each_other_alone() -> None:
    table = Table.create(4)
    pins, answers = SharedPins(table, "p", idle_s=100.0), SharedAnswers(table)
    units = [f"{number:016x}" for number in range(4)]
    for unit in units:
        pins.put(unit, Pin("a", None, "production", 0.0), 0.0)
    for number in range(1_000):
        answers.keep(f"resp_{number}", UNIT, number)
    assert len(pins) == len(units)
    assert [found.arm for unit in units if (found := pins.get(unit, 1.0)) is not None] == ["a"] * len(units)
    assert pins.drop_arm("a") == len(units)
    kept = [answers.find(f"resp_{number}") for number in range(1_000)]
    assert {place for place in kept if place is not None} <= {(UNIT, number) for number in range(1_000)}
    assert kept[-1] == (UNIT, 999)
    assert 0 < sum(place is not None for place in kept) <= table.places


def test_a_torn_place_is_none() -> None:
    table = Table.create(1)
    answers = SharedAnswers(table)
    answers.keep("resp_1", UNIT, 1)
    start = table.memory.find(int(UNIT, 16).to_bytes(8, sys.byteorder), table.answers_at)
    table.memory[start] ^= 1  # another's unit, written at the same time
    assert answers.find("resp_1") is None
