"""All of `/metrics`: names, units and labels as users' dashboards rely on them, and numbers that agree."""

from pathlib import Path
from typing import get_args

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from gateway.http.errors import Kind
from gateway.pipeline.fallopen import STAGES
from gateway.pipeline.metrics import LATENCY_BOUNDS, MORE, OVERHEAD_BOUNDS
from policies.outcome import FailureClass
from policies.resilience.health import State
from policies.resilience.troubles import KINDS, STATUSES
from tests.gateway.pipeline.conftest import Running, running, settings
from tests.gateway.pipeline.experiments import canary, genome
from tests.gateway.pipeline.scripted import Visit, completion, provider, whole

UNITS = frozenset({
    "seconds", "bytes", "requests", "tokens", "usd", "ratio", "reward", "failures", "errors", "attempts", "frames",
    "writes", "segments", "faults", "reloads", "rollbacks", "signals", "feedback", "workers", "restarts",
    "arms",
})  # fmt: skip
STATES = frozenset(
    {"epoch", "ready", "recording", "registry_joined", "upstream_up", "worker_up", "fell_open"}
)  # they have no unit
VALUES: dict[str, set[str]] = {
    "policy": {"assistant"},
    "role": {"production", "challenger", "holdback"},
    "class": {member.value for member in FailureClass},
    "upstream": {"sandbox"},
    "state": {state.value for state in State},
    "stage": set(STAGES),
    "step": set(MORE),
    "reason": {*get_args(Kind), *KINDS, *(f"status_{s}" for s in STATUSES), "final", "exhausted", "dropped", "refused"},
}
BOUNDS = {"evogate_overhead_seconds": OVERHEAD_BOUNDS}


async def exposed(gateway: Running) -> dict[str, Metric]:
    async with gateway.http.get(f"{gateway.process.admin_url}/metrics") as answer:
        text = await answer.text()
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(family: Metric, name: str = "") -> dict[tuple[str, ...], float]:
    rows = [sample for sample in family.samples if not name or sample.name == name]
    return {tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in rows}


async def test_every_name_has_its_unit_and_every_label_its_bounds(tmp_path: Path) -> None:
    visits = 0

    async def script(visit: Visit) -> None:
        nonlocal visits
        visits += 1
        failing = b"fail" in visit.body or visits == 1
        await visit.send(whole(b'{"error": {"message": "no"}}', b"500 No") if failing else whole(completion()))

    async with provider(script) as base, running(settings(base, {"resilience": {"retries": 1}}), tmp_path) as gateway:
        await canary(gateway, "c1", genome("Answer briefly."))
        assert [(await gateway.ask(text))[0] for text in ("hello", "please fail", "again")] == [200, 500, 200]
        families = await exposed(gateway)
    for name, family in families.items():
        bare = name.removeprefix("evogate_")
        assert bare != name
        assert bare in STATES or bare.rsplit("_", 1)[-1] in UNITS, name
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert (family.type == "counter") == sample.name.endswith("_total")
            for label, value in sample.labels.items():
                assert label == "le" or value in VALUES[label], (name, label, value)
        if family.type == "histogram":
            check_histogram(family)
    assert values(families["evogate_more_attempts"]) == {("status_500", "retry"): 2.0}
    assert values(families["evogate_given_up_requests"]) == {("exhausted",): 1.0}
    circuit = values(families["evogate_upstream_circuit_workers"])
    assert circuit == {(state, "sandbox"): float(state == "closed") for state in ("closed", "open", "half_open")}
    shares = values(families["evogate_arm_share_ratio"])
    assert set(shares) == {("assistant", "production"), ("assistant", "challenger")}
    assert abs(sum(shares.values()) - 1.0) < 1e-9
    assert sum(values(families["evogate_requests"]).values()) == 3.0
    assert sum(values(families["evogate_failures"]).values()) == 1.0
    counted = values(families["evogate_first_byte_seconds"], "evogate_first_byte_seconds_count")
    assert sum(counted.values()) == 3.0
    assert values(families["evogate_spool_lag_seconds"])[()] > 0.0


def check_histogram(family: Metric) -> None:
    by_labels: dict[tuple[str, ...], list[float]] = {}
    for sample in family.samples:
        labels = tuple(value for label, value in sorted(sample.labels.items()) if label != "le")
        if sample.name.endswith("_bucket"):
            by_labels.setdefault(labels, []).append(sample.value)
    counts = values(family, f"{family.name}_count")
    for labels, buckets in by_labels.items():
        assert len(buckets) == len(BOUNDS.get(family.name, LATENCY_BOUNDS)) + 1
        assert buckets == sorted(buckets)
        assert counts[labels] == buckets[-1]
