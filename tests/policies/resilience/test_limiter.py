"""A bounded number at once, a bounded queue behind, and a no beyond."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from policies.resilience import Admitted, Full, Limiter, Queued


def test_slots_then_queue_then_no() -> None:
    limiter: Limiter[str] = Limiter(1, 2, 5.0)
    assert isinstance(limiter.admit("a", 0.0), Admitted)
    assert limiter.admit("b", 1.0) == Queued(6.0)
    assert limiter.admit("c", 2.0) == Queued(7.0)
    assert limiter.admit("d", 2.0) == Full(5.0)
    assert (limiter.in_use, limiter.waiting, limiter.due) == (1, 2, 6.0)


def test_a_slot_passes_to_who_came_first() -> None:
    limiter: Limiter[str] = Limiter(1, 9, 5.0)
    for name in "abcd":
        limiter.admit(name, 0.0)
    limiter.leave("c")
    limiter.leave("nobody")
    assert [limiter.release() for _ in range(3)] == ["b", "d", None]
    assert (limiter.in_use, limiter.free) == (0, True)


def test_nobody_waits_beyond_the_deadline() -> None:
    limiter: Limiter[str] = Limiter(1, 9, 5.0)
    for at, name in enumerate("abcd"):
        limiter.admit(name, float(at))
    assert limiter.expire(6.0) == ["b"]
    assert limiter.expire(6.5) == []
    assert limiter.due == 7.0
    assert limiter.release() == "c"


@given(st.integers(1, 3))
def test_without_a_queue_the_answer_is_no_at_once(limit: int) -> None:
    limiter: Limiter[int] = Limiter(limit, 0, 5.0)
    answers = [limiter.admit(number, 0.0) for number in range(limit + 2)]
    assert [isinstance(answer, Full) for answer in answers] == [False] * limit + [True] * 2


class Life(RuleBasedStateMachine):
    """Slots are never lost and never doubled; the queue is first in, first out."""

    LIMIT, QUEUE, WAIT = 2, 3, 5.0

    def __init__(self) -> None:
        super().__init__()
        self.limiter: Limiter[int] = Limiter(self.LIMIT, self.QUEUE, self.WAIT)
        self.now = 0.0
        self.names = 0
        self.inside = 0
        self.queue: list[tuple[int, float]] = []

    @rule()
    def admit(self) -> None:
        self.names += 1
        answer = self.limiter.admit(self.names, self.now)
        if self.inside < self.LIMIT:
            assert isinstance(answer, Admitted)
            self.inside += 1
        elif len(self.queue) < self.QUEUE:
            assert answer == Queued(self.now + self.WAIT)
            self.queue.append((self.names, self.now + self.WAIT))
        else:
            assert answer == Full(self.WAIT)

    @precondition(lambda self: self.inside)
    @rule()
    def release(self) -> None:
        handed = self.limiter.release()
        assert handed == (self.queue[0][0] if self.queue else None)
        if self.queue:
            self.queue.pop(0)
        else:
            self.inside -= 1

    @precondition(lambda self: self.queue)
    @rule(at=st.integers(0, 9))
    def leave(self, at: int) -> None:
        self.limiter.leave(self.queue.pop(at % len(self.queue))[0])

    @rule(passed=st.sampled_from([0.5, 3.0, 5.0]))
    def wait(self, passed: float) -> None:
        self.now += passed
        due = [name for name, until in self.queue if until <= self.now]
        assert self.limiter.expire(self.now) == due
        self.queue = [(name, until) for name, until in self.queue if until > self.now]

    @invariant()
    def agrees(self) -> None:
        assert (self.limiter.in_use, self.limiter.waiting) == (self.inside, len(self.queue))
        assert not (self.limiter.free and self.limiter.waiting)


TestLife = Life.TestCase
