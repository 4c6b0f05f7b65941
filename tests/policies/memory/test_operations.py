"""Operations are values with an inverse: doing and undoing gives back what was there, to the letter."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import ConflictError
from policies.memory import Entry, snapshot_hash
from policies.memory.operations import INVERSE, KINDS, Operation, applied

A = Entry("a", "Refunds take 14 days.", ("money",), sources=("r1",))
B = Entry("b", "Refunds take 14 days, always.", ("refund",), sources=("r2",))
GONE = Entry("gone", "Refunds took 30 days.", state="deprecated")
START = [A, B, GONE]


def any_operation(entries: list[Entry]) -> st.SearchStrategy[Operation]:
    """One that is about these entries as they are."""
    existing = st.sampled_from(entries)
    fresh = st.integers(0, 10**9).map(lambda n: Entry(f"new-{n}", f"text {n}"))
    others = st.lists(existing, min_size=2, max_size=3, unique_by=lambda entry: entry.id)
    return st.one_of(
        fresh.filter(lambda entry: entry.id not in {one.id for one in entries}).map(Operation.add),
        existing.map(Operation.forget),
        existing.map(Operation.deprecate),
        existing.map(Operation.restore),
        existing.map(lambda entry: Operation.index(entry, ("topic", "other"))),
        others.map(lambda chosen: Operation.merge(chosen[0], tuple(chosen[1:]))),
    )


@given(st.data())
def test_undoing_in_reverse_gives_back_what_was_there(data: st.DataObject) -> None:
    now, done = START, []
    for _ in range(data.draw(st.integers(0, 6))):
        if len(now) < 2:
            break
        done.append(data.draw(any_operation(now)))
        now = applied(now, done[-1:])
    assert applied(now, [operation.inverse for operation in reversed(done)]) == START


def test_each_kind_has_an_inverse_whose_inverse_it_is() -> None:
    assert set(INVERSE) == set(KINDS)
    assert all(INVERSE[INVERSE[kind]] == kind for kind in KINDS)
    operation = Operation.add(A, "learnt")
    assert (operation.inverse.kind, operation.inverse.why) == ("forget", "takes back: learnt")


def test_a_merge_keeps_the_topics_and_sources_of_all_and_silences_the_others() -> None:
    (merged, silent, _) = applied(START, [Operation.merge(A, (B,))])
    assert merged == replace(A, topics=("money", "refund"), sources=("r1", "r2"))
    assert silent == replace(B, state="deprecated", why="merged into a")


def test_deprecating_and_restoring_bring_the_snapshot_back() -> None:
    before = snapshot_hash(START)
    silenced = applied(START, [Operation.deprecate(A)])
    assert snapshot_hash(silenced) == snapshot_hash([B]) != before
    assert snapshot_hash(applied(silenced, [Operation.restore(silenced[0])])) == before


@pytest.mark.parametrize(
    "operation",
    [
        Operation.deprecate(replace(A, text="something else")),
        Operation.forget(Entry("nobody", "x")),
        Operation.add(replace(A, text="another")),
    ],
)
def test_what_is_not_as_it_was_is_refused(operation: Operation) -> None:
    with pytest.raises(ConflictError, match="entry"):
        applied(START, [operation])


def test_what_is_kept_of_an_operation_has_no_text() -> None:
    shown = Operation.merge(A, (B,), "the same").to_json()
    assert shown == {"kind": "merge", "why": "the same", "before": ["a", "b"], "after": ["a", "b"]}
