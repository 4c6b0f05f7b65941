from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from policies.pins import Pin, Pins


def pin(arm: str = "a") -> Pin:
    return Pin(arm=arm, experiment=None, role="production", seen=0.0)


def test_a_pin_lives_as_long_as_it_is_used() -> None:
    pins = Pins(idle_s=10)
    pins.put("u", pin(), 0.0)
    for now in (9.0, 18.0, 28.0):
        found = pins.get("u", now)
        assert found is not None
        assert found.seen == now
    assert pins.get("u", 38.1) is None
    assert len(pins) == 0


def test_a_rollback_breaks_the_pins_of_its_arm_only() -> None:
    pins = Pins()
    for number in range(6):
        pins.put(f"u{number}", pin("bad" if number % 2 else "good"), 0.0)
    assert pins.drop_arm("bad") == 3
    assert pins.drop_arm("bad") == 0
    assert [pins.get(f"u{number}", 1.0) is None for number in range(6)] == [False, True] * 3


def test_putting_again_replaces() -> None:
    pins = Pins()
    pins.put("u", pin("a"), 0.0)
    pins.put("u", pin("b"), 1.0)
    found = pins.get("u", 2.0)
    assert found is not None
    assert found.arm == "b"
    assert len(pins) == 1


def test_use_keeps_a_pin_from_making_room() -> None:
    pins = Pins(limit=2)
    pins.put("old", pin(), 0.0)
    pins.put("new", pin(), 1.0)
    pins.get("old", 2.0)
    pins.put("newest", pin(), 3.0)
    assert pins.get("old", 4.0) is not None
    assert pins.get("new", 4.0) is None


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdef"), st.floats(0, 8)), max_size=60))
def test_bounded_least_recently_used_and_idle(steps: list[tuple[bool, str, float]]) -> None:
    pins, model, now = Pins(limit=3, idle_s=5.0), OrderedDict[str, float](), 0.0
    for writes, unit, waited in steps:
        now += waited
        if writes:
            pins.put(unit, pin(unit), now)
            model[unit] = now
            model.move_to_end(unit)
            if len(model) > 3:
                model.popitem(last=False)
            continue
        found = pins.get(unit, now)
        alive = unit in model and now - model[unit] <= 5.0
        assert (found is not None) == alive
        if alive:
            model[unit] = now
            model.move_to_end(unit)
        else:
            model.pop(unit, None)
        assert len(pins) == len(model) <= 3
