"""What is learnt is true, is held by enough conversations, stays with its tenant, and says where it comes from."""

from random import Random
from typing import Any

import numpy as np

from evolver.analysis.topics import topics
from evolver.examples import Example
from evolver.memory.learn import SHOTS_PER_TOPIC, SOURCES, facts, question, shots
from tests.evolver.analysis.worlds import recordings
from tests.evolver.memory.worlds import SHEET, TRUE, asks, knowledge

SAID = "Our office in Oslo closes at 17:30 on Fridays."
ASKED = f"{SAID}\nWhen does the office in Oslo close on Fridays?"


def test_sentences_that_good_answers_rest_on_become_entries() -> None:
    examples = knowledge(Random(1), 400)
    learnt = facts(examples, 5)
    assert len(learnt) >= 0.8 * len(TRUE)
    assert {one.entry.text for one in learnt} <= TRUE
    by_id = {example.id: example for example in examples}
    for one in learnt:
        behind = [by_id[name] for name in one.entry.sources]
        assert 1 <= len(behind) <= SOURCES
        assert all(example.good and one.entry.text in example.request_text for example in behind)
        assert all(SHEET not in asked and asked.endswith("?") for asked in one.asked)
        assert one.units >= 5


def test_what_too_few_conversations_hold_is_nobodys_but_their_own() -> None:
    four = [asks(number, ASKED, "At 17:30.") for number in range(4)]
    same_unit = [asks(10 + number, ASKED, "At 17:30.", unit="u0") for number in range(5)]
    assert facts([*four, *same_unit], 5) == []
    (learnt,) = facts([*four, asks(20, ASKED, "At 17:30.")], 5)
    assert learnt.entry.text == SAID


def test_nothing_is_learnt_of_answers_that_nobody_called_good() -> None:
    assert facts([asks(number, ASKED, "At 17:30.", score=None) for number in range(9)], 5) == []
    assert facts([asks(number, ASKED, "At 17:30.", corrected=True) for number in range(9)], 5) == []
    assert facts([asks(number, ASKED, "At 18:00.") for number in range(9)], 5) == []  # no sentence says so


def test_tenants_learn_apart() -> None:
    mixed = [asks(number, ASKED, "At 17:30.", tenant="acme" if number % 2 else "other") for number in range(9)]
    (learnt,) = facts(mixed, 5)  # four of one, five of the other
    assert learnt.entry.namespace == "other"
    assert set(learnt.entry.sources) <= {example.id for example in mixed if example.tenant == "other"}


def test_corrections_that_several_gave_become_entries() -> None:
    def corrected(number: int, correction: str) -> Example:
        asked = "When does the office in Oslo close?"
        return asks(number, asked, "I don't know.", score=0.0, correction=correction)

    (whole,) = facts([corrected(number, "It closes at 17:30 on Fridays.") for number in range(5)], 5)
    assert whole.entry.text == "It closes at 17:30 on Fridays."
    (short,) = facts([corrected(number, "17:30") for number in range(5)], 5)
    assert short.entry.text == "When does the office in Oslo close? 17:30"
    assert facts([corrected(number, f"17:3{number}") for number in range(5)], 5) == []


def test_the_oldest_records_stand_behind_an_entry() -> None:
    examples = [asks(number, ASKED, "At 17:30.") for number in range(20)]
    (learnt,) = facts(examples[::-1], 5)
    assert learnt.entry.sources == tuple(f"e{number}" for number in range(SOURCES))


def test_words_of_the_question_find_the_entry() -> None:
    asked = f"{SAID}\nAt what hour do they shut the doors in Oslo on Fridays?"
    (learnt,) = facts([asks(number, asked, "At 17:30.") for number in range(5)], 5)
    assert {"shut", "doors"} <= set(learnt.entry.topics)


def test_a_question_is_told_from_its_material() -> None:
    assert question(asks(0, "- One fact.\n- Another fact.\n\nWhich? And why?", "x")) == "Which? And why?"
    assert question(asks(0, "Given this.\nTell me which", "x")) == "Tell me which"
    assert question(asks(0, "", "x")) == ""


def test_examples_come_of_topics_that_enough_conversations_share() -> None:
    def plant(number: int, topic: str, rng: np.random.Generator) -> dict[str, Any]:
        return {"score": 1.0 if topic in {"mood", "sums"} else None}

    rng = np.random.default_rng(0)
    examples = recordings(rng, 200, plant)
    found = shots(topics(examples, by_model=False, rng=rng), 5)
    assert 0 < len(found) <= 2 * SHOTS_PER_TOPIC + 2
    by_id = {example.id: example for example in examples}
    for one in found:
        (source,) = one.entry.sources
        assert by_id[source].good
        assert (one.entry.text, one.entry.answer) == (by_id[source].request_text, "fine")
    assert shots(topics(examples, by_model=False, rng=rng), 1_000) == []
