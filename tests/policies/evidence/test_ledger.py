from hypothesis import given
from hypothesis import strategies as st

from policies.evidence.ledger import BUCKET_S, FOLDED, Ledger
from policies.evidence.noharm import Wealth

UNITS = st.lists(st.tuples(st.floats(0.0, 40.0), st.booleans(), st.booleans()), max_size=60)  # gap, candidate, failed
WINDOW_S = 60.0


@given(UNITS, st.floats(0.0, 200.0))
def test_totals_and_window_are_those_of_brute_force(units: list[tuple[float, bool, bool]], later: float) -> None:
    ledger, plain, at, seen = Ledger(window_s=WINDOW_S, keep_s=90.0), Wealth(), 1000.0, []
    for gap, challenger, failed in units:
        at += gap
        ledger.add(at, challenger, 0.3, failed)
        plain.add(challenger, 0.3, failed)
        seen.append((int(at) // BUCKET_S * BUCKET_S, challenger, failed))
    now = at + later
    recent = [(c, f) for bucket, c, f in seen if bucket + BUCKET_S > now - WINDOW_S]
    window = ledger.window(now)
    assert window.units == [sum(not c for c, _ in recent), sum(c for c, _ in recent)]
    assert window.failures == [sum(f and not c for c, f in recent), sum(f and c for c, f in recent)]
    assert ledger.total().counts.to_dict() == plain.counts.to_dict()

    summed = Wealth()
    for part in (ledger.folded, *ledger.buckets.values()):
        summed.merge(part)
    assert summed.counts.to_dict() == plain.counts.to_dict()
    assert all(bucket > ledger.through for bucket in ledger.buckets)


def test_state_stays_bounded() -> None:
    ledger = Ledger(window_s=WINDOW_S, keep_s=90.0)
    for second in range(100_000, 103_000):
        ledger.add(float(second), False, 0.3, False)
    assert len(ledger.buckets) <= 90 / BUCKET_S + 1
    assert ledger.folded.counts.units[0] + sum(w.counts.units[0] for w in ledger.buckets.values()) == 3000


def test_since_gives_the_buckets_that_can_still_have_changed() -> None:
    ledger = Ledger(window_s=WINDOW_S, keep_s=90.0)
    for second in (100, 103, 107, 111):
        ledger.add(float(second), False, 0.3, False)
    assert [bucket for bucket, _ in ledger.since(107.0)] == [110, 105]
    assert [bucket for bucket, _ in ledger.since(105.0)] == [110, 105]
    assert [bucket for bucket, _ in ledger.since(FOLDED)] == [110, 105, 100]
