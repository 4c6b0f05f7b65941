"""A data folder as a gateway and an evolver leave it: two canaries drawn, answered, recorded and decided.

The first is better and is promoted by the evolver's own station; the second fails and is tripped by the breaker's own
reducer. Every draw, class, reward, e-value and verdict comes from the code that serves and decides.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import orjson

from config.policy import Policy
from config.settings import Settings
from evolver.context import Context
from evolver.provider import Provider
from evolver.replay import gates_of, weights_of
from evolver.stations.promotion import Promotion
from evolver.store import Store
from evolver.webhook import Webhook
from gateway.pipeline.snapshot import publish_configured
from gateway.recording import SpoolWriter
from policies.assignment import Shares, draw
from policies.evidence import Decision, ExperimentEvidence
from policies.fitness import reward_value
from policies.genome import Genome, Lineage
from policies.registry import Registry, open_registry
from policies.registry.operations import find_version, production_of, start_canary
from policies.registry.values import Candidate, Experiment, Incident
from policies.salt import draw_salt, salt_name

POLICY = "support"
SECRET = b"\x07" * 32
BEGAN = 1_760_000_000.0
APART_S = 0.02  # between two conversations
SHARE = 0.2
MOST = 200  # conversations of the harmful canary, which is found long before
_TEXT = "please look at this order again and say in one sentence what has become of it since yesterday"
_WORDS = _TEXT.split()


@dataclass(slots=True)
class Arm:
    """One arm and how often it fails."""

    hash: str
    role: str
    failing: float
    candidate: str | None = None


class Scene:
    """The folder while it is made; conversations take two turns, the second of them pinned."""

    def __init__(self, home: Path, registry: Registry, settings: Settings, seed: int) -> None:
        self.registry = registry
        self.settings = settings
        self.policy: Policy = settings.policies[POLICY]
        self.now = BEGAN
        self.records = 0
        self._home = home
        self._rng = Random(seed)
        self._spool = SpoolWriter(home / "spool" / "w0", segment_bytes=64 << 20)
        self._number = 0

    def close(self) -> None:
        """Write what waits."""
        self._spool.close()

    def conversation(
        self, arms: tuple[Arm, Arm], experiment: Experiment
    ) -> tuple[str, bool, tuple[str | None, str | None]]:
        """Two turns; (unit, whether it was the candidate's, the failures of its two answers)."""
        self.now += APART_S
        self._number += 1
        unit = f"{self._number:016x}"
        salt = draw_salt(SECRET, POLICY, [experiment.salt])
        arm = arms[draw(salt, unit, Shares((arms[0].hash, arms[1].hash), (1.0 - SHARE, SHARE)))]
        odds = [(arms[0].hash, 1.0 - SHARE), (arms[1].hash, SHARE)]
        named = {"salt": salt_name(salt), "experiment": experiment.id}
        failure = self._exchange(unit, 1, arm, {**named, "arms": odds, "first": True, "why": "draw"})
        later = self._exchange(unit, 2, arm, {**named, "arms": [(arm.hash, 1.0)], "first": False, "why": "pin"})
        if self._number % 10 == 0:
            self._spool.flush()
        return unit, arm is arms[1], (failure, later)

    def _exchange(self, unit: str, turn: int, arm: Arm, how: dict[str, Any]) -> str | None:
        name = f"{int(self.now * 1000):012x}-{unit}-{turn}"
        text = " ".join(self._rng.choices(_WORDS, k=40))
        body = {"model": POLICY, "messages": [{"role": "user", "content": text}], "stream": False}
        self._append(
            {
                "t": "assignment", "v": 1, "id": name, "at": self.now, "writer": "w0", "policy": POLICY, "epoch": 1,
                "unit": unit, "turn": turn, "arm": arm.hash, "role": arm.role, "version": "v1.0",
                "candidate": arm.candidate, "path": "/v1/chat/completions", "stream": False, "model": POLICY,
                "intent": "", "body": body, "rendered": "0" * 16, "memory": [], **how,
            }
        )  # fmt: skip
        failure = "server_error" if self._rng.random() < arm.failing else None
        outcome: dict[str, Any] = {
            "failure": failure, "validators": {}, "output_tokens": 60, "repairs": 0, "cost_usd": 0.0004,
            "last_byte_ms": 300.0 + 200.0 * self._rng.random(),
        }  # fmt: skip
        worth = self._worth(outcome)
        self._append(
            {
                "t": "outcome", "v": 1, "id": name, "at": self.now + 0.5, "status": 500 if failure else 200,
                "answer": {"text": text[::-1], "tool_calls": [], "finish_reason": "stop"}, "model": "large",
                "first_byte_ms": 90.0, "input_tokens": 80, "cached_tokens": 0, "detail": "", "attempts": 1,
                "reward": worth, **outcome,
            }
        )  # fmt: skip
        return failure

    def _worth(self, outcome: dict[str, Any]) -> float | None:
        costs = {name: value for name, value in outcome.items() if name != "last_byte_ms"}
        weights, gates = weights_of(self.policy), gates_of(self.policy)
        return reward_value(**costs, score=None, latency_ms=outcome["last_byte_ms"], weights=weights, gates=gates)

    def _append(self, frame: dict[str, Any]) -> None:
        self._spool.append(orjson.dumps(frame))
        self.records += 1

    def flush(self) -> None:
        """To the disk."""
        self._spool.flush()


def settings_of() -> Settings:
    """One policy with everything at its default, decided by itself."""
    return Settings.model_validate({"policies": {POLICY: {"mode": "auto"}}})


async def make(home: Path, conversations: int, *, seed: int = 1) -> int:
    """Fill an empty folder; `conversations` (two turns each, at least some hundreds) in the better canary.

    Returns the number of records.
    """
    settings = settings_of()
    async with open_registry(home) as registry:
        (home / "secret").write_bytes(SECRET)
        await publish_configured(registry, settings, BEGAN - 60.0)
        scene = Scene(home, registry, settings, seed)
        try:
            await _promoted(scene, home, conversations)
            await _tripped(scene)
        finally:
            scene.close()
    return scene.records


async def _canary(scene: Scene, name: str, rule: str) -> tuple[Candidate, Experiment, str]:
    base, _ = await production_of(scene.registry, POLICY)
    genome = Genome.model_validate({"prompt": {"rubric": [rule]}})
    frozen = {"weights": asdict(weights_of(scene.policy)), "budgets": scene.policy.budgets.model_dump()}
    candidate = Candidate(
        name, POLICY, "prompt", genome, base.label, Lineage(source="patch"), "judged", scene.now, scene.now,
        stations={"canary": frozen},
    )  # fmt: skip
    assert await scene.registry.add_candidate(candidate)
    started, experiment = await start_canary(
        scene.registry, candidate, who="evolver", reason="", counted=True, now=scene.now
    )
    return started, experiment, base.genome.content_hash


async def _promoted(scene: Scene, home: Path, conversations: int) -> None:
    """A candidate that fails less, until all its conversations are over; then the station decides."""
    candidate, experiment, control = await _canary(scene, "better", "Answer in one sentence.")
    arms = Arm(control, "production", 0.4), Arm(candidate.genome.content_hash, "challenger", 0.02, candidate.id)
    for _ in range(conversations):
        scene.conversation(arms, experiment)
    scene.flush()
    scene.now += scene.policy.breaker.deadline_s + 1.0
    async with (
        Store(home / "analysis.db", home / "spool") as store,
        Provider(scene.settings) as provider,
        Webhook(scene.settings.evolver) as webhook,
    ):
        while await store.ingest():
            pass
        context = Context(scene.settings, scene.registry, store, provider, webhook, home, scene.now, Random(1))
        station = Promotion()
        for _ in range(conversations // 2_000 + 1):  # a batch a look
            await station.step(await scene.registry.candidate(candidate.id), context)
    closed = next(e for e in await scene.registry.experiments(POLICY) if e.id == experiment.id)
    assert closed.verdict == "PROMOTE", closed


async def _tripped(scene: Scene) -> None:
    """A candidate that fails nearly always, until the breaker takes it back."""
    candidate, experiment, _ = await _canary(scene, "harmful", "Answer in riddles.")
    control = (await find_version(scene.registry, POLICY, experiment.control)).genome.content_hash
    arms = Arm(control, "production", 0.02), Arm(candidate.genome.content_hash, "challenger", 0.9, candidate.id)
    breaker = scene.policy.breaker
    evidence = ExperimentEvidence(
        experiment.id,
        alpha=breaker.alpha,
        ratio=breaker.ratio,
        window_s=breaker.window_s,
        deadline_s=breaker.deadline_s,
    )
    decision = next(decided for decided in _judged(scene, arms, experiment, evidence) if decided.rolls_back)
    scene.flush()
    now, why = scene.now, decision.summary
    found = decision.evidence | {"unpinned": 0, "subject": candidate.genome.content_hash}
    await scene.registry.advance(candidate, "trip", who="w0", reason=why, now=now, station="breaker", measured=found)
    assert decision.verdict in {"TRIP", "SEVERE"}
    kind: Any = decision.verdict
    await scene.registry.add_incident(
        Incident(f"{kind.lower()}-{experiment.id}", POLICY, kind, now, candidate.id, why, found)
    )
    await scene.registry.close_experiment(experiment.id, "ROLL BACK", found, now=now)


def _judged(
    scene: Scene, arms: tuple[Arm, Arm], experiment: Experiment, evidence: ExperimentEvidence
) -> Iterator[Decision]:
    """The breaker's decision after each conversation."""
    for _ in range(MOST):
        unit, challenger, (failure, later) = scene.conversation(arms, experiment)
        evidence.assigned(unit, at=scene.now, challenger=challenger, q=SHARE)
        evidence.settled(unit, failure, now=scene.now + 0.5)
        evidence.followed(unit, later, now=scene.now + 0.5)
        evidence.advance(scene.now + 0.5)
        yield evidence.decision()
