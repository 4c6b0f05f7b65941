"""Pins in shared memory: the rules of `policies.pins`, kept over workers, and never a wrong arm."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.workers.pins import WAYS, SharedPins, Table
from policies.pins import Pin, Pins

UNIT = "00000000000000a7"


def pin(arm: str = "a", experiment: str | None = "e", role: str = "challenger") -> Pin:
    return Pin(arm, experiment, role, 0.0)


def pair(buckets: int = 64, idle_s: float = 100.0) -> tuple[SharedPins, SharedPins]:
    """Two workers' views of one policy."""
    table = Table.create(buckets)
    first, second = (SharedPins(Table(table.descriptor, buckets), "p", idle_s=idle_s) for _ in range(2))
    for worker in (first, second):
        worker.know(["a", "b", "c", "e"])
    return first, second


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["get", "put", "drop"]),
        st.integers(0, 5),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([0.0, 1.0, 60.0, 101.0]),
        st.booleans(),
    ),
    max_size=40,
)


@given(STEPS)
def test_two_workers_are_as_one_with_a_dict(steps: list[tuple[str, int, str, float, bool]]) -> None:
    one, many, now = Pins(idle_s=100.0), pair(), 1000.0
    for step, number, arm, waited, which in steps:
        now += waited
        unit, here = f"{number:016x}", many[which]
        if step == "put":
            one.put(unit, pin(arm), now)
            here.put(unit, pin(arm), now)
        elif step == "get":
            assert here.get(unit, now) == one.get(unit, now)
        else:
            assert here.drop_arm(arm) == one.drop_arm(arm)
        assert len(many[0]) == len(many[1]) == len(one)


@pytest.mark.parametrize("role", ["production", "challenger", "holdback"])
@pytest.mark.parametrize("experiment", ["e", None])
def test_what_was_put_comes_back(role: str, experiment: str | None) -> None:
    first, second = pair()
    first.put(UNIT, pin("b", experiment, role), 5.0)
    assert second.get(UNIT, 6.0) == Pin("b", experiment, role, 6.0)


def test_policies_share_the_table_and_nothing_else() -> None:
    table = Table.create(64)
    first, other = SharedPins(table, "p", idle_s=9.0), SharedPins(table, "q", idle_s=9.0)
    first.put(UNIT, pin("a"), 1.0)
    assert other.get(UNIT, 1.0) is None
    other.put(UNIT, pin("a"), 1.0)
    assert other.drop_arm("a") == 1
    assert first.get(UNIT, 1.0) is not None


def test_the_one_silent_longest_makes_room() -> None:
    pins, _ = pair(buckets=1)
    for number in range(WAYS):
        pins.put(f"{number:016x}", pin(), 10.0 + number)
    assert pins.get(f"{0:016x}", 50.0) is not None
    pins.put(f"{99:016x}", pin(), 60.0)
    assert len(pins) == WAYS
    assert pins.get(f"{1:016x}", 60.0) is None
    assert pins.get(f"{0:016x}", 60.0) is not None


def test_an_older_word_never_replaces_a_newer_one() -> None:
    """A worker that replays its spool meets what the others have pinned since."""
    first, second = pair()
    first.put(UNIT, pin("b"), 20.0)
    second.put(UNIT, pin("a"), 10.0)
    found = second.get(UNIT, 20.0)
    assert found is not None
    assert found.arm == "b"


def test_a_pin_of_an_unknown_arm_is_left_alone() -> None:
    """The other worker's epoch is the newer one: this request gets production, the next one its arm again."""
    first, second = pair()
    first.put(UNIT, pin("brand-new"), 10.0)
    found = second.get(UNIT, 11.0)
    assert found is not None
    assert found.arm == ""
    second.put(UNIT, pin("a", None, "production"), 11.0)
    second.know(["brand-new"])
    found = second.get(UNIT, 12.0)
    assert found is not None
    assert found.arm == "brand-new"


@pytest.mark.parametrize("word", range(1, 4))
def test_a_torn_pin_is_none(word: int) -> None:
    """Any word of another pin's (arm, experiment, check) beside the rest of this one's."""
    pins, _ = pair(buckets=1)
    pins.put(UNIT, pin("a", "e"), 1.0)
    pins.put(f"{5:016x}", pin("b", "c"), 1.0)
    table = pins._table
    record = [WAYS + way * 4 + word for way in range(2)]
    table.words[0, record[0]] = table.words[0, record[1]]
    assert pins.get(UNIT, 1.0) is None
    pins.put(UNIT, pin("c"), 2.0)
    assert pins.get(UNIT, 2.0) is not None, "and it heals"


def test_noise_never_raises() -> None:
    rng = random.Random(4)
    pins, _ = pair(buckets=4)
    for _ in range(300):
        at = rng.randrange(len(pins._memory) // 8) * 8
        pins._memory[at : at + 8] = struct.pack("<Q", rng.getrandbits(64))
        unit = f"{rng.getrandbits(64):016x}"
        pins.get(unit, 1.0)
        pins.put(unit, pin(), 1.0)
        found = pins.get(unit, 1.0)
        assert found is None or found.arm == "a"
