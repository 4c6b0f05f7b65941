import tracemalloc
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from policies.evidence.settlement import Roll, Settlement

# Units assigned a second apart; for each, when it settles after its assignment (None: never) and whether it failed.
OUTCOMES = st.lists(st.tuples(st.none() | st.floats(0.0, 20.0), st.booleans()), max_size=30)
DEADLINE_S = 10.0


def consumed(queue: Settlement, now: float) -> list[tuple[str, str | None]]:
    return [(unit.name, unit.failure) for unit in queue.ready(now)]


@given(OUTCOMES, st.integers(0, 2**32), st.floats(0.1, 30.0))
def test_neither_the_order_of_outcomes_nor_the_times_of_looking_matter(
    outcomes: list[tuple[float | None, bool]], seed: int, step_s: float
) -> None:
    def run(look_every_s: float, rng: Random) -> list[tuple[str, str | None]]:
        roll, found, looked = Roll(DEADLINE_S), [], 0.0
        queue, silent = Settlement(roll, expired="expired"), Settlement(roll, expired=None)
        events = [(float(i), 0.0, i, "assign") for i in range(len(outcomes))]
        events += [(i + d, rng.random(), i, "settle") for i, (d, _) in enumerate(outcomes) if d is not None]
        for at, _, i, what in sorted(events, key=lambda e: (e[0], e[3], e[1])):
            while looked + look_every_s < at:
                looked += look_every_s
                found += consumed(queue, looked)
                consumed(silent, looked)
            if what == "assign":
                roll.assigned(str(i), at, i % 2 == 0, 0.5)
            else:
                queue.settle(str(i), "transport" if outcomes[i][1] else None, at)
        return found + consumed(queue, 1e9)

    expected = [
        (str(i), "expired" if d is None or i + d > i + DEADLINE_S else "transport" if failed else None)
        for i, (d, failed) in enumerate(outcomes)
    ]
    assert run(step_s, Random(seed)) == expected
    assert run(1e6, Random(seed + 1)) == expected


def test_waits_for_the_first_that_has_not_settled() -> None:
    roll = Roll(DEADLINE_S)
    queue = Settlement(roll, expired="expired")
    for i in range(3):
        roll.assigned(str(i), 100.0 + i, False, 0.5)
    queue.settle("1", None, 102.0)
    queue.settle("2", "transport", 102.0)
    assert consumed(queue, 103.0) == []
    assert queue.watermark(103.0) == 100.0
    queue.settle("0", None, 104.0)
    assert consumed(queue, 104.0) == [("0", None), ("1", None), ("2", "transport")]
    assert queue.watermark(104.0) == 104.0


def test_the_first_outcome_counts_and_unknown_units_do_not() -> None:
    roll = Roll(DEADLINE_S)
    queue = Settlement(roll, expired=None)
    roll.assigned("a", 0.0, True, 0.5)
    queue.settle("stranger", "transport", 1.0)
    queue.settle("a", "refusal", 1.0)
    queue.settle("a", None, 2.0)
    assert consumed(queue, 2.0) == [("a", "refusal")]
    queue.settle("a", "transport", 3.0)
    assert consumed(queue, 99.0) == []


def test_the_deadline_itself_is_still_in_time() -> None:
    roll = Roll(DEADLINE_S)
    queue = Settlement(roll, expired="expired")
    for name in ("intime", "late"):
        roll.assigned(name, 0.0, True, 0.5)
    assert consumed(queue, DEADLINE_S) == []
    queue.settle("intime", None, DEADLINE_S)
    queue.settle("late", None, DEADLINE_S + 0.001)
    assert consumed(queue, DEADLINE_S + 0.001) == [("intime", None), ("late", "expired")]


def test_queues_share_their_units_and_forget_those_that_none_has() -> None:
    roll = Roll(DEADLINE_S)
    answers, silences = Settlement(roll, expired="expired"), Settlement(roll, expired=None)
    for i in range(10_000):
        at = i * 0.01
        roll.assigned(f"u{i}", at, i % 2 == 0, 0.5)
        answers.settle(f"u{i}", "transport" if i % 1000 == 999 else None, at)
        failures = [unit.failure for unit in answers.ready(at)]
        assert failures == ["transport" if i % 1000 == 999 else None]
        assert all(unit.failure is None for unit in silences.ready(at))
    assert len(answers) == 0
    assert len(silences) in {1000, 1001}
    answers.settle("u9999", "transport", 99.99)  # it has left this queue, and stands in the other
    assert consumed(answers, 1e9) == []
    held = sum(roll.place(f"u{i}") is not None for i in range(10_000))
    assert len(silences) <= held < len(silences) + 1024
    assert {unit.q for unit in silences.ready(1e9)} == {0.5}


def test_a_unit_that_waits_costs_little_memory() -> None:
    names = [f"unit-{i:016}" for i in range(20_000)]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        roll = Roll(DEADLINE_S)
        queues = [Settlement(roll, expired=None) for _ in range(3)]
        for i, name in enumerate(names):
            roll.assigned(name, 1e9 + i * 1e-6, i % 2 == 0, 0.2)
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert [len(queue) for queue in queues] == [20_000] * 3
    assert held / 20_000 < 160, "an object in each queue took 380 bytes"
