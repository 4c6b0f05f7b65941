"""What the parent says of its workers to the admin listener: their numbers and their states as one gateway's."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.admin.families import Family, counter, from_json, gauge, merged
from gateway.admin.numbers import configuration
from gateway.admin.together import Facts, together
from gateway.workers.member import Member


def families_of(members: Sequence[Member], numbers: Mapping[str, Any], reloading: Mapping[str, Any]) -> list[Family]:
    """What `numbers`, by worker, come to together, and what the parent itself counts."""
    return [
        *merged([from_json(found) for found in numbers.values()]),
        *configuration(reloading["reloads"], reloading["failures"]),
        gauge("evogate_workers", "Workers that serve.", sum(member.up for member in members), merge="sum"),
        gauge(
            "evogate_worker_up",
            "1 while the worker serves.",
            {(member.name,): float(member.up) for member in members},
            labels=("worker",),
            merge="sum",
        ),
        counter(
            "evogate_worker_restarts",
            "Times that the worker ended by itself and was started again.",
            ("worker",),
            {(member.name,): float(member.restarts) for member in members},
        ),
    ]


def status_of(members: Sequence[Member], said: Mapping[str, Facts], reloading: Mapping[str, Any]) -> Facts:
    """What they have `said`, by worker, as one, with a line about each process."""
    facts = together(dict(said))
    facts["configuration"] = reloading
    facts["workers"] = [
        {
            "worker": member.name,
            "pid": member.pid,
            "up": member.up,
            "restarts": member.restarts,
            "ended": member.ended,
            "epoch": facts["epochs"].get(member.name),
        }
        for member in members
    ]
    return facts
