"""The states of several workers as that of one gateway."""

from collections.abc import Iterable, Mapping
from typing import Any

Facts = dict[str, Any]

_GRAVER = ("CLEAR", "SUSPECT", "TRIP", "SEVERE")


def together(by_worker: Mapping[str, Facts]) -> Facts:
    """`/admin/status` of the gateway; arms and policies as the first worker has them.

    `agreed` says whether all of them serve the same arms: within a poll of a change they may not.
    """
    found = list(by_worker.values())
    first = found[0] if found else {}
    return {
        "ready": bool(found) and all(facts["ready"] for facts in found),
        "epoch": max((facts["epoch"] for facts in found), default=0),
        "epochs": {name: facts["epoch"] for name, facts in by_worker.items()},
        "agreed": len({_arms_of(facts) for facts in found}) <= 1,
        "frozen": any(facts["frozen"] for facts in found),
        "deciding": all(facts["deciding"] for facts in found),
        "registry": _registry([facts["registry"] for facts in found]),
        "arms": first.get("arms", []),
        "policies": first.get("policies", {}),
        "experiments": _experiments(found),
        "outages": {name: state for facts in found for name, state in facts["outages"].items()},
        "spool": _spool(by_worker),
        "fell_open": {
            "counts": _summed(facts["fell_open"]["counts"] for facts in found),
            "last": {stage: text for facts in found for stage, text in facts["fell_open"]["last"].items()},
        },
        "feedback": _summed(facts["feedback"] for facts in found),
    }


def _registry(found: Iterable[Facts]) -> Facts:
    """Not joined as long as one of them is not; what it serves from then."""
    seen = [facts["last_seen_at"] for facts in found if not facts["joined"]]
    return {"joined": not seen, "last_seen_at": min(seen, default=None)}


def _arms_of(facts: Facts) -> tuple[tuple[str, str, str], ...]:
    return tuple((arm["policy"], arm["role"], arm["genome"]) for arm in facts["arms"])


def _experiments(found: Iterable[Facts]) -> list[Facts]:
    """Each once, as the worker sees it that thinks worst of it."""
    worst: dict[str, Facts] = {}
    for facts in found:
        for run in facts["experiments"]:
            known = worst.get(run["id"])
            if known is None or _gravity(run) > _gravity(known):
                worst[run["id"]] = run
    return list(worst.values())


def _gravity(run: Facts) -> int:
    return _GRAVER.index(run["verdict"]) if run["verdict"] in _GRAVER else 0


def _spool(by_worker: Mapping[str, Facts]) -> Facts:
    spools = {name: facts["spool"] for name, facts in by_worker.items()}
    numbers = ("waiting_bytes", "lost_frames", "failed_writes", "retired_segments", "upkeep_faults")
    return {
        "level": next((spool["level"] for spool in spools.values()), ""),
        "positions": {name: spool["position"] for name, spool in spools.items()},
        "recording": all(spool["recording"] for spool in spools.values()),
        **_summed({name: spool[name] for name in numbers} for spool in spools.values()),
    }


def _summed(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, 0) + value
    return total
