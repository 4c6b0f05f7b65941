"""Tactics as state machines: every order of events, and what must hold whatever comes."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.genome import StrategyLayer
from policies.outcome.answer import Answer
from policies.strategy.agreement import ballot
from policies.strategy.cascade import Cascade, verdict_of
from policies.strategy.choice import kind_of, tactic_of
from policies.strategy.consensus import Consensus
from policies.strategy.tactic import Ask, Heard, Numbers, Present, Single, Step, Tactic, Wait
from policies.vectors import unit_rows

END = ("failed", "invalid", "a", "b", "Correct", "Incorrect")
GENES = st.builds(
    StrategyLayer,
    repairs=st.sampled_from(["off", "local", "ask"]),
    use_consensus=st.booleans(),
    voters=st.integers(2, 5),
    quorum=st.sampled_from([0.3, 0.6, 1.0]),
    cascade_model=st.sampled_from([None, "small"]),
    cascade_verifier=st.sampled_from([None, "agreement", "judge"]),
    cascade_threshold=st.sampled_from([0.1, 0.6, 1.0]),
    cascade_samples=st.integers(1, 5),
)


def heard(number: int, end: str) -> Heard:
    return Heard(number, None if end == "failed" else Answer(text=end), end != "invalid")


class Play:
    """Carries out steps as the coordinator does, with ends drawn by hypothesis."""

    def __init__(self, tactic: Tactic, data: st.DataObject) -> None:
        self.tactic, self.data = tactic, data
        self.out: list[Ask] = []
        self.ends: dict[int, str] = {}
        self.presented: list[int] = []
        self.asked: list[Ask] = []
        self.waits = False

    def take(self, steps: list[Step]) -> None:
        for step in steps:
            if isinstance(step, Ask):
                self.out.append(step)
                self.asked.append(step)
            elif isinstance(step, Wait):
                self.waits = True
            else:
                self.presented.append(step.number)

    def run(self) -> None:
        self.take(self.tactic.begin())
        while self.out and not self.done:
            if self.waits and self.data.draw(st.booleans()):
                self.waits = False
                self.take(self.tactic.late())
                continue
            ask = self.out.pop(self.data.draw(st.integers(0, len(self.out) - 1)))
            self.ends[ask.number] = self.data.draw(st.sampled_from(END))
            self.take(self.tactic.heard(heard(ask.number, self.ends[ask.number])))

    @property
    def done(self) -> bool:
        return bool(self.presented) and self.presented[-1] in self.ends


@given(st.data(), GENES, st.booleans())
def test_every_request_is_answered_by_the_best_there_was(data: Any, genes: StrategyLayer, streams: bool) -> None:
    play = Play(tactic_of(genes, streams=streams), data)
    play.run()
    assert play.done
    numbers = [ask.number for ask in play.asked]
    assert len(set(numbers)) == len(numbers), "no number is given twice"
    assert set(play.presented) <= set(numbers)
    answers = {ask.number for ask in play.asked if ask.role not in {"verifier", "sample"}}
    assert play.presented[-1] in answers
    if play.ends[play.presented[-1]] == "failed":
        assert all(play.ends[number] == "failed" for number in answers & play.ends.keys())
    assert sum(ask.role == "repair" for ask in play.asked) <= (genes.repairs == "ask" and not streams)
    assert sum(ask.role == "strong" for ask in play.asked) <= 1, "one escalation"
    assert all(0.0 <= score <= 1.0 for score in play.tactic.scores.values())


def votes(*texts: str, quorum: float = 0.6) -> tuple[Consensus, list[list[Step]]]:
    consensus = Consensus(Numbers(), [None] * len(texts), mode="auto", quorum=quorum, deadline_s=1.0)
    return consensus, [consensus.heard(heard(number, text)) for number, text in enumerate(texts)]


def test_a_quorum_is_presented_by_its_first_voter_at_once() -> None:
    consensus, steps = votes("b", "a", "A.", "c", "c")
    assert steps == [[], [], [], [], [Present(1)]]
    consensus, steps = votes("a", "b", "a")
    assert steps[-1] == [Present(0)]
    assert consensus.scores == {"agreement": pytest.approx(2 / 3)}


def test_the_invalid_and_the_failed_have_no_vote() -> None:
    assert votes("failed", "invalid", "invalid", "b")[1][-1] == [Present(3)]
    assert votes("failed", "invalid")[1][-1] == [Present(1)]
    assert votes("failed", "failed")[1][-1] == [Present(0)]


def test_after_the_deadline_whoever_is_there_decides() -> None:
    consensus = Consensus(Numbers(), [None] * 3, mode="auto", quorum=0.6, deadline_s=1.0)
    assert consensus.late() == []
    assert consensus.heard(heard(2, "a")) == [Present(2)]
    assert consensus.heard(heard(1, "b")) == []


def cascade(*said: str, threshold: float = 0.6, samples: int = 3, verifier: str = "small") -> Iterator[list[Step]]:
    numbers = Numbers()
    single = Single(numbers, "strong")
    made = Cascade(numbers, "small", single, verifier=verifier, samples=samples, threshold=threshold, mode="auto")
    (first,) = made.begin()
    assert isinstance(first, Ask)
    yield made.heard(heard(first.number, "a"))
    for at, text in enumerate(said):
        yield made.heard(heard(first.number + 1 + at, text))


def test_confidence_decides_as_soon_as_it_can() -> None:
    _, *steps = cascade("Correct", "Correct", "Incorrect")
    assert steps[:2] == [[], [Present(1)]]
    _, *steps = cascade("Incorrect", "Incorrect")
    assert [type(step) for step in steps[1]] == [Ask, Present]
    _, *steps = cascade("what?", "failed", "Correct", threshold=1.0)
    assert steps[-1] == [Present(1)], "only what is understood counts"
    _, *steps = cascade("b", "a", verifier="agreement", samples=2, threshold=0.5)
    assert steps[-1] == [Present(1)]


@pytest.mark.parametrize(
    ("text", "said"),
    [("Correct", True), ("It is **incorrect**.", False), ("Not sure", None), ("Incorrect? No: correct.", True)],
)
def test_a_verifiers_last_word_counts(text: str, said: bool | None) -> None:
    assert verdict_of(text) is said


@pytest.mark.parametrize(
    ("mode", "one", "other", "same"),
    [
        ("auto", "Berlin.", " berlin", True),
        ("auto", '{"a": 1, "b": 2}', '{"b": 2.0, "a": 1}', True),
        ("auto", '{"a": 1}', '{"a": true}', False),
        ("exact", "four", "4", False),
        ("numeric", "It is 1,200.", "so: 1200.0", True),
        ("numeric", "12", "-12", False),
        ("json", "prose", "prose", False),
    ],
)
def test_what_agrees(mode: Any, one: str, other: str, same: bool) -> None:
    first, second = ballot(Answer(text=one), mode), ballot(Answer(text=other), mode)
    assert (first is not None and first == second) is same


def test_calls_agree_whatever_their_order_and_spelling() -> None:
    find = {"id": "1", "name": "find", "arguments": '{"a": 1, "b": 2}'}
    same = {"id": "2", "name": "find", "arguments": '{"b":2,"a":1.0}'}
    other = {"id": "3", "name": "drop", "arguments": ""}
    assert ballot(Answer(tool_calls=[find, other]), "auto") == ballot(Answer(tool_calls=[other, same]), "exact")
    assert ballot(Answer(tool_calls=[find]), "auto") != ballot(Answer(tool_calls=[other]), "auto")


def test_defaults_are_plain_and_leave_old_hashes_alone() -> None:
    assert kind_of(StrategyLayer()) == "plain"
    assert StrategyLayer(use_consensus=False, repairs="off").model_dump(exclude_defaults=True) == {}


def meant(number: int, text: str, *vector: float) -> Heard:
    return Heard(number, Answer(text=text), vector=unit_rows([vector])[0] if vector else None)


def test_answers_of_one_meaning_agree_and_one_without_an_embedding_agrees_by_its_words() -> None:
    vote = Consensus(Numbers(), [None] * 4, mode="embedding", quorum=1.0, deadline_s=9.0, similarity=0.9)
    vote.begin()
    for said in (meant(0, "late", 1.0, 0.0), meant(1, "delayed", 0.95, 0.2), meant(2, "early", 0.0, 1.0)):
        assert vote.heard(said) == []
    assert vote.scores == {"agreement": 0.5}
    assert vote.heard(meant(3, "Late.")) == [Present(0)]
    assert vote.scores == {"agreement": 0.75}


def test_a_cascade_trusts_an_answer_that_is_said_again_in_other_words() -> None:
    def escalates(*vector: float) -> bool:
        numbers = Numbers()
        cascade = Cascade(
            numbers, "small", Single(numbers, "strong"), verifier="agreement", samples=1, threshold=1.0,
            mode="embedding", similarity=0.9,
        )  # fmt: skip
        cascade.begin()
        cascade.heard(meant(1, "late", 1.0, 0.0))
        return any(isinstance(step, Ask) for step in cascade.heard(meant(2, "delayed", *vector)))

    assert not escalates(0.95, 0.2)
    assert escalates(0.0, 1.0)
    assert escalates()  # no embedding came, and the words differ
