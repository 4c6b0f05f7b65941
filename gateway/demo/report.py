"""The one JSON object that a demo of bounded length ends with."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from gateway.demo.director import POLICY
from gateway.demo.measure import Measured, figures
from gateway.demo.tally import Answer, Tally
from policies.registry.port import Registry
from policies.registry.values import Experiment, Holdback


async def report(registry: Registry, tally: Tally, received: "Received", holdback: Holdback | None) -> dict[str, Any]:
    """Versions, promotions, rollbacks, incidents, losses, and v1.0 beside the final version."""
    candidates = await registry.candidates(POLICY)
    ended_badly = [e for e in await registry.experiments(POLICY) if e.verdict == "ROLL BACK"]
    experiments = {experiment.candidate: experiment for experiment in ended_badly}
    by_candidate = {v.evidence.get("candidate"): v for v in await registry.versions(POLICY)}
    window = closing_window(tally, holdback)
    return {
        "versions": [
            {"version": v.label, "source": v.lineage.source, "operator": v.lineage.operator, "why": v.why}
            for v in await registry.versions(POLICY)
        ],
        "promoted": [
            {"version": by_candidate[c.id].label, "candidate": c.id, "layer": c.layer, "reason": c.reason}
            for c in candidates
            if c.state in {"promoted", "confirmed"} and c.id in by_candidate
        ],
        "rolled_back": [
            {
                "candidate": c.id,
                "layer": c.layer,
                "reason": c.reason,
                "seconds_in_canary": _spell(experiments.get(c.id)),
            }
            for c in candidates
            if c.state == "rolled_back"
        ],
        "incidents": [
            {"id": i.id, "kind": i.kind, "subject": i.subject, "summary": i.summary}
            for i in await registry.incidents(POLICY)
        ],
        "requests": len(received.ids),
        "errors": received.errors,
        "records_lost": sum(1 for name in received.ids if not _settled(tally, name)),
        "before": plain(window["holdback"]),
        "after": plain(window["production"]),
    }


class Received:
    """What the client logged: ids of answers received whole, and failures by kind."""

    def __init__(self, log: Path) -> None:
        self.ids: list[str] = []
        self.errors: dict[str, int] = {}
        for line in log.read_bytes().splitlines() if log.exists() else []:
            entry = orjson.loads(line)
            if "id" in entry:
                self.ids.append(entry["id"])
            else:
                self.errors[entry["error"]] = self.errors.get(entry["error"], 0) + 1


def closing_window(tally: Tally, holdback: Holdback | None) -> dict[str, dict[str, Measured]]:
    """The figures of conversations drawn half and half since the comparison began, by role."""
    arms: dict[str, list[Answer]] = {"production": [], "holdback": []}
    for answer in tally.firsts(since=holdback.since, until=float("inf")) if holdback else ():
        if answer.experiment == holdback.experiment and answer.role in arms:  # type: ignore[union-attr]
            arms[answer.role].append(answer)
    return {role: figures(answers) for role, answers in arms.items()}


def plain(measured: dict[str, Measured]) -> dict[str, dict[str, float]]:
    """As JSON values."""
    return {name: asdict(figure) for name, figure in measured.items()}


def _settled(tally: Tally, name: str) -> bool:
    answer = tally.answers.get(name)
    return answer is not None and answer.settled


def _spell(experiment: Experiment | None) -> float | None:
    if experiment is None or experiment.ended_at is None:
        return None
    return round(experiment.ended_at - experiment.started_at, 3)
