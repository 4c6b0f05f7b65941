"""A draw's salt is found again whatever the gateway had read of the registry by then."""

from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from policies.registry.trail import experiment_closed, experiment_opened, holdback_set
from policies.registry.values import Experiment, Holdback, Note
from policies.salt import draw_salt, salt_name
from policies.verification.facts import PolicyFacts
from policies.verification.salts import LAG_S, Salts
from tests.policies.verification.rows import NOW, POLICY, SECRET, experiment

STEP_S = LAG_S / 4


class Registry:
    """What the registry says after each of a row of writes, and its notes."""

    def __init__(self) -> None:
        self.experiments: dict[str, Experiment] = {}
        self.notes: list[Note] = []
        self.held = ""
        self.states: list[tuple[float, frozenset[str], str]] = []

    def write(self, what: int, at: float) -> None:
        running = [e for e in self.experiments.values() if e.ended_at is None]
        if what == 0 or (what == 1 and not running):
            opened = experiment(len(self.experiments) + 1, start=at - NOW)
            self.experiments[opened.id] = opened
            self.notes.append(experiment_opened(opened))
        elif what == 1:
            values = {field.name: getattr(running[0], field.name) for field in fields(running[0])}
            closed = Experiment(**values | {"ended_at": at, "verdict": "INCONCLUSIVE"})
            self.experiments[closed.id] = closed
            self.notes.append(experiment_closed(closed))
        else:
            holdback = Holdback(POLICY, "v1.0", 0.02, "x", f"held{len(self.notes)}", at) if what == 2 else None
            self.held = holdback.salt if holdback is not None else ""
            self.notes.append(holdback_set(POLICY, holdback, at))
        now_running = frozenset(e.salt for e in self.experiments.values() if e.ended_at is None)
        self.states.append((at, now_running, self.held))

    def facts(self) -> PolicyFacts:
        return PolicyFacts(POLICY, experiments=list(self.experiments.values()), notes=self.notes)


def salt(running: frozenset[str], held: str) -> bytes:
    return draw_salt(SECRET, POLICY, [*running, *([held] if held else [])])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.data())
def test_whatever_was_read_within_the_lag_is_found(writes: list[int], data: st.DataObject) -> None:
    registry = Registry()
    for n, what in enumerate(writes):
        registry.write(what, NOW + n * STEP_S)
    found = Salts(SECRET, registry.facts())
    # Holdbacks are read first: the draw may have seen an older one beside newer experiments.
    newer = data.draw(st.integers(0, len(writes) - 1))
    older = data.draw(st.integers(max(0, newer - 2), newer))
    drawn = salt(registry.states[newer][1], registry.states[older][2])
    at = NOW + newer * STEP_S
    if registry.states[newer][1] or registry.states[older][2]:
        assert drawn in found.at(at, "")
        assert found.at(at + 1e6, salt_name(drawn)) == (drawn,)


def test_the_present_state_comes_first() -> None:
    registry = Registry()
    registry.write(0, NOW)
    registry.write(0, NOW + 1.0)
    salts = Salts(SECRET, registry.facts()).at(NOW + 2.0, "")
    assert list(salts) == [salt(frozenset({"salt1", "salt2"}), ""), salt(frozenset({"salt1"}), "")]


def test_experiments_from_before_the_trail_count() -> None:
    old = experiment(1, "INCONCLUSIVE", start=0.0, end=1000.0)
    found = Salts(SECRET, PolicyFacts(POLICY, experiments=[old]))
    assert list(found.at(NOW + 500.0, "")) == [salt(frozenset({"salt1"}), "")]
    assert list(found.at(NOW + 1000.0 + 2 * LAG_S, "")) == []


def test_another_secret_gives_other_salts() -> None:
    facts = PolicyFacts(POLICY, experiments=[experiment(1)])
    assert set(Salts(SECRET, facts).at(NOW, "")).isdisjoint(Salts(b"another", facts).at(NOW, ""))
    assert Salts(SECRET, facts).at(NOW, "0" * 16) == ()
