"""What is said already is not said again, contradictions are not believed, harm goes, and room is kept."""

from dataclasses import replace

from evolver.memory.changes import additions, found_by, merges, upkeep
from evolver.memory.learn import Learnt
from policies.memory import Entry
from policies.memory.counters import Counter
from policies.memory.operations import Operation, applied

OLD = Entry("old", "The kettle has a warranty of 24 months.", sources=("r1",))
NEW = Entry("new", "The kettle has a warranty of 36 months.", sources=("r2",))
OTHER = Entry("other", "The lamp draws 40 watts.", sources=("r3",))
HARMFUL = Counter(retrieved=60.0, rewarded=10.0, withheld=20.0, rewarded_without=18.0)
HELPFUL = Counter(retrieved=60.0, rewarded=55.0, withheld=20.0, rewarded_without=4.0)


def kinds(operations: list[Operation]) -> list[tuple[str, list[str]]]:
    return [(operation.kind, [entry.id for entry in operation.before or operation.after]) for operation in operations]


def test_what_is_new_is_added_and_what_is_said_is_not() -> None:
    found = additions([OLD], [Learnt(OTHER, 9), Learnt(replace(OLD, id="again"), 9)])
    assert kinds(found) == [("add", ["other"])]
    assert additions([replace(OLD, state="deprecated")], [Learnt(replace(OLD, id="again"), 9)]) == []


def test_a_figure_that_has_changed_takes_the_place_of_the_old_one() -> None:
    found = additions([OLD], [Learnt(NEW, 9)])
    assert kinds(found) == [("deprecate", ["old"]), ("add", ["new"])]
    after = applied([OLD], found)
    assert [(entry.id, entry.active) for entry in after] == [("new", True), ("old", False)]
    assert after[1].why == "superseded by new"
    assert kinds(additions([replace(OLD, namespace="acme")], [Learnt(NEW, 9)])) == [("add", ["new"])]


def test_of_new_statements_that_contradict_each_other_the_better_founded_is_believed() -> None:
    assert kinds(additions([], [Learnt(OLD, 5), Learnt(NEW, 9)])) == [("add", ["new"])]
    assert additions([], [Learnt(OLD, 9), Learnt(NEW, 9)]) == []


def test_entries_that_say_the_same_become_one() -> None:
    longer = Entry("long", "The kettle has a warranty of 24 months, always.", ("promise",), sources=("r9",))
    (operation,) = merges([OLD, longer, OTHER, replace(OLD, id="twin")])
    assert operation.kind == "merge"
    merged, *silent = operation.after
    assert merged.id == "long"
    assert {entry.id for entry in silent} == {"old", "twin"}
    assert set(merged.sources) == {"r1", "r9"}
    assert not any(entry.active for entry in silent)


def test_what_only_looks_alike_stays_apart() -> None:
    fan = Entry("fan", "The heater has a warranty of 24 months.")
    assert merges([OLD, NEW, fan, replace(OLD, id="theirs", namespace="acme")]) == []
    shot = Entry("shot", OLD.text, answer="Fine.")
    assert merges([OLD, shot]) == []


def test_harm_goes_and_comes_back_when_it_is_long_ago() -> None:
    (gone,) = upkeep([OLD, OTHER], {"old": HARMFUL, "other": HELPFUL}, most=9)
    assert (gone.kind, gone.before) == ("deprecate", (OLD,))
    assert gone.after[0].why.startswith("requests fared worse with it (0.18)")
    after = applied([OLD, OTHER], [gone])
    assert upkeep(after, {"old": HARMFUL, "other": HELPFUL}, most=9) == []
    faded = Counter().plus(HARMFUL, 0.1)
    assert kinds(upkeep(after, {"old": faded}, most=9)) == [("restore", ["old"])]
    superseded = replace(OLD, state="deprecated", why="superseded by new")
    assert upkeep([superseded], {"old": HELPFUL}, most=9) == []


def test_beyond_the_limit_the_least_proven_go() -> None:
    entries = [Entry(f"e{number}", f"text {number}") for number in range(5)]
    counters = {"e1": HELPFUL, "e3": Counter(retrieved=60.0, rewarded=30.0), "e4": Counter(60.0, 1.0)}
    assert kinds(upkeep(entries, counters, most=3)) == [("deprecate", ["e4"]), ("deprecate", ["e0"])]


def test_further_words_are_added_once() -> None:
    (operation,) = found_by([OLD, OTHER], {"old": {"guarantee", "kettle"}, "other": {"lamp"}})
    assert operation.after == (replace(OLD, topics=("guarantee",)),)
