"""Draws that do not follow their odds freeze everything; whatever was not drawn says nothing."""

from random import Random
from typing import Any
from unittest.mock import AsyncMock

import pytest

from evolver.context import frozen
from evolver.news import News
from evolver.odds import LAG_S, Bets, Odds
from evolver.store import Draw
from gateway.recording.frames import Frame
from policies.evidence.sample_ratio import SETS
from tests.evolver.support import POLICY, World, exchange

ODDS = [("a", 0.8), ("b", 0.2)]


def drawn(
    world: World, count: int, *, share: float, start: int = 0, units: int | None = None, **changes: Any
) -> list[Frame]:
    """Conversations of which `share` in truth got arm b; the odds on record say 0.2."""
    rng = Random(start + 1)
    frames: list[Frame] = []
    for number in range(start, start + count):
        world.now += 0.1
        arm = "b" if rng.random() < share else "a"
        unit = f"u{number % units if units else number:06d}"
        given = {"arm": arm, "arms": ODDS, "why": "draw", "first": True, "experiment": "e", "unit": unit, **changes}
        frames += exchange(number, at=world.now, settled_after=None, **given)
    world.now += LAG_S
    return frames


async def look(world: World, odds: Odds | None = None) -> bool:
    """Until all is read; True where everything is frozen then."""
    odds = odds or Odds()
    for _ in range(4):
        await odds.look(world.context())
    return await frozen(world.registry)


async def test_draws_that_follow_their_odds_change_nothing(world: World) -> None:
    await world.record(drawn(world, 3_000, share=0.2))
    assert not await look(world)
    assert await world.registry.incidents() == []
    (arms, ratio), *others = (await world.store.kept(f"odds:{POLICY}"))["ratios"]
    assert (arms, ratio["units"], others) == ("a b", 3_000, [])


async def test_other_odds_than_those_on_record_freeze_everything(world: World) -> None:
    told: list[tuple[str, str]] = []
    world.webhook.send = lambda event, policy, at, detail: told.append((event, detail["kind"]))  # type: ignore[method-assign]
    news = News()
    await news.look(world.context())
    await world.record(drawn(world, 1_000, share=0.35))
    assert await look(world)
    await news.look(world.context())
    freeze = await world.registry.state("freeze")
    (incident,) = await world.registry.incidents(POLICY)
    assert (freeze["who"], freeze["at"]) == ("evolver", world.now)
    assert POLICY in freeze["why"]
    assert (incident.kind, incident.subject, incident.resolved_at) == ("SAMPLE_RATIO", POLICY, None)
    assert incident.evidence["e_value"] >= 1e4
    counts = incident.evidence["counts"]
    assert counts["b"]["drawn"] > 1.3 * counts["b"]["expected"]
    assert counts["a"]["drawn"] + counts["b"]["drawn"] == incident.evidence["units"]
    assert told == [("incident", "SAMPLE_RATIO")]


@pytest.mark.parametrize("why", ["pin", "only", "middle", "frozen", "fell_open"])
async def test_what_was_not_drawn_says_nothing(world: World, why: str) -> None:
    await world.record(drawn(world, 500, share=1.0, why=why))
    assert not await look(world)
    kept = await world.store.kept(f"odds:{POLICY}")
    assert kept == {"after": [world.now - LAG_S, ""], "ratios": []}  # nor is it read again


async def test_a_draw_counts_whatever_it_enters(world: World) -> None:
    await world.record(drawn(world, 500, share=0.6, first=False, experiment=None))
    assert await look(world)


async def test_a_unit_counts_once(world: World) -> None:
    """The same unit is drawn to the same arm again after its pin is lost: no news, however often."""
    await world.record(drawn(world, 1, share=1.0, units=1))
    await world.record(drawn(world, 999, share=1.0, start=1_000, units=1))
    assert not await look(world)
    assert (await world.store.kept(f"odds:{POLICY}"))["ratios"][0][1]["units"] == 1


async def test_an_arm_without_odds_is_proof_by_itself(world: World) -> None:
    await world.record(drawn(world, 1, share=0.0, arm="c"))
    assert await look(world)


async def test_odds_that_are_none_are_passed_over(world: World) -> None:
    await world.record(drawn(world, 1, share=0.0, arms=[("a", 0.8), ("b", 0.8)]))
    await world.record(drawn(world, 1_000, share=0.35, start=1))
    assert await look(world)


async def test_a_restart_goes_on_and_a_lost_state_is_rebuilt(world: World) -> None:
    once, name = Odds(), f"odds:{POLICY}"
    for part in range(3):
        await world.record(drawn(world, 200, share=0.25, start=200 * part))
        await look(world, once)
        await look(world, Odds())
    whole = await world.store.kept(name)
    assert sum(ratio["units"] for _, ratio in whole["ratios"]) == 600
    await world.store.keep(name, {})
    await look(world, Odds())
    assert await world.store.kept(name) == whole


async def test_a_registry_that_fails_as_it_fires_does_not_lose_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    odds = Odds()
    await world.record(drawn(world, 1_000, share=0.4))
    with monkeypatch.context() as broken:
        broken.setattr(world.registry, "set_state", AsyncMock(side_effect=OSError("gone")))
        with pytest.raises(OSError, match="gone"):
            await odds.look(world.context())
    assert await look(world, odds)


async def test_one_incident_until_an_operator_thaws_and_another_one_after(world: World) -> None:
    odds = Odds()
    for part in range(2):
        await world.record(drawn(world, 1_000, share=0.4, start=1_000 * part))
        assert await look(world, odds)
    assert len(await world.registry.incidents(POLICY)) == 1
    await world.registry.set_state("freeze", {"frozen": False, "who": "eve"})
    assert not await look(world, odds)
    assert [i.resolved_at for i in await world.registry.incidents(POLICY)] == [world.now]
    await world.record(drawn(world, 1_000, share=0.4, start=5_000))
    assert await look(world, odds)
    assert [i.resolved_at is None for i in await world.registry.incidents(POLICY)] == [False, True]


async def test_an_operators_freeze_stays_theirs(world: World) -> None:
    theirs = {"frozen": True, "who": "eve", "why": "a holiday", "at": world.now}
    await world.registry.set_state("freeze", theirs)
    await world.record(drawn(world, 1_000, share=0.4))
    assert await look(world)
    assert await world.registry.state("freeze") == theirs
    assert len(await world.registry.incidents(POLICY)) == 1


def test_each_set_of_arms_has_a_test_of_its_own_and_old_ones_are_forgotten() -> None:
    bets = Bets()
    for number in range(SETS + 3):
        bets.add(Draw((float(number), ""), "a", {"a": 0.5, f"b{number}": 0.5}))
    assert list(bets.ratios.tests) == [f"a b{number}" for number in range(3, SETS + 3)]
    assert Bets.from_dict(bets.to_dict()) == bets
