"""The same figures from other people's code: confseq for the martingales, mabwiser and river for Thompson sampling.

confseq is no development dependency: it has no wheel (building it takes a compiler and Boost) and names `np.float_`,
which NumPy 2 has no more. Its tests run where its source distribution, whose pure Python part is all that they need, is
unpacked on PYTHONPATH.
"""

from math import exp
from typing import Any

import numpy as np
import pytest

from loadtests.evidence.routing import RECORDED, Free, Mabwiser, River, held_out, play
from policies.bandit import Posterior, probability_best
from policies.evidence import ConfidenceSequence
from policies.evidence.noharm import BETS, Wealth

HALF = 1_000


@pytest.mark.parametrize("rho", [1, 2])
def test_the_no_harm_wealth_is_confseqs_betting_martingale(rho: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "float_", np.float64, raising=False)
    betting: Any = pytest.importorskip("confseq.betting", reason="confseq has no wheel; unpack it on PYTHONPATH")
    rng, q = np.random.default_rng(1), 0.2
    challenger, failed = rng.random(400) < q, rng.random(400) < 0.1
    increments = np.where(challenger, failed / q, -rho * failed / (1.0 - q))
    low, span = -rho / (1.0 - q), 1.0 / q + rho / (1.0 - q)
    wealth = Wealth()
    for arm, bad in zip(challenger.tolist(), failed.tolist(), strict=True):
        wealth.add(arm, q, bad)
    for log, (each, target) in zip(wealth.logs, BETS, strict=True):
        if each != rho:
            continue
        bet = (target - rho) / rho * q * (1.0 - q) / (target * q + 1.0 - q)
        theirs = betting.betting_mart(
            (increments - low) / span,
            -low / span,
            lambdas_fn_positive=lambda x, _m, bet=bet: np.full(len(x), bet * span),
            theta=1.0,
            trunc_scale=1.0,
            convex_comb=True,
        )
        assert exp(log) == pytest.approx(theirs[-1], rel=1e-9)


def test_the_confidence_sequence_is_as_tight_as_confseqs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "float_", np.float64, raising=False)
    predmix: Any = pytest.importorskip("confseq.predmix", reason="confseq has no wheel; unpack it on PYTHONPATH")
    rng = np.random.default_rng(2)
    for mean in (0.1, 0.5, 0.9):
        x = (rng.random(3_000) < mean).astype(float)
        ours = ConfidenceSequence()
        for value in x.tolist():
            ours.add(value, 0.0, 1.0)
        low, high = predmix.predmix_empbern_twosided_cs(x, alpha=0.05)
        span = ours.interval(0.05)
        assert span.low <= mean <= span.high
        assert low[-1] <= mean <= high[-1]
        assert 0.6 < (span.high - span.low) / (high[-1] - low[-1]) < 1.25


@pytest.mark.parametrize("make", [Mabwiser, River])
def test_the_probability_of_being_best_is_how_often_others_draw_that_arm(make: Any) -> None:
    player, known = make(np.random.default_rng(3)), [Posterior(), Posterior()]
    for arm, rewards in ((0, [1.0] * 12 + [0.0] * 6), (1, [1.0] * 8 + [0.0] * 3)):
        for reward in rewards:
            player.hear(arm, reward)
            known[arm] = known[arm].update(reward)
    drawn = sum(player.pull() for _ in range(4 * HALF)) / (4 * HALF)
    # mabwiser was told one failure of each arm to begin with; that is less than the tolerance.
    assert probability_best(known)[1] == pytest.approx(drawn, abs=0.05)


@pytest.mark.skipif(not RECORDED.exists(), reason=f"no recorded outcomes at {RECORDED}")
def test_on_recorded_outcomes_the_regret_is_that_of_others() -> None:
    rewards = held_out()
    assert 6_000 < len(rewards) < 8_000
    ours = play(Free, rewards, 6)
    assert ours.best_share > 0.8
    for make in (Mabwiser, River):
        theirs = play(make, rewards, 3)
        assert ours.regret < 2.0 * theirs.regret + 3.0 * (ours.regret_sd + theirs.regret_sd)
