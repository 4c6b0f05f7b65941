"""What one worker counts, as families; made at scrape time from the plain numbers of the request path."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.admin.families import Family, Labels, counter, gauge, histogram
from gateway.admin.lag import lag_s
from gateway.pipeline.metrics import ArmCounters, Histogram
from gateway.pipeline.worker import Worker
from gateway.recording import Position, SpoolError
from policies.resilience.health import State

_ARM = ("policy", "role")
_UPSTREAM = ("upstream",)


async def collect(worker: Worker) -> list[Family]:
    """All families of a worker."""
    now, spool = worker.core.now(), worker.spool
    behind = await asyncio.to_thread(_behind, spool.directory, spool.writer.position, now)
    parts = _requests, _state, _upstreams, _recovered, _embeddings, _events, _faults
    return [*behind, *(family for part in parts for family in part(worker))]


def _behind(directory: Path, end: Position, now: float) -> list[Family]:
    try:
        seconds = lag_s(directory, end, now)
    except SpoolError:
        return []  # no number rather than a wrong one; its reader says why
    return [gauge("evogate_spool_lag_seconds", "Age of the oldest record not evolved from.", seconds, merge="most")]


def _requests(worker: Worker) -> Iterator[Family]:
    metrics = worker.core.metrics
    arms = metrics.arms
    yield counter("evogate_requests", "Covered requests that were settled.", _ARM, _each(arms, "requests"))
    yield counter("evogate_input_tokens", "Input tokens.", _ARM, _each(arms, "input_tokens"))
    yield counter("evogate_output_tokens", "Output tokens.", _ARM, _each(arms, "output_tokens"))
    yield counter("evogate_cost_usd", "What answers cost, in US dollars.", _ARM, _each(arms, "cost_usd"))
    yield counter("evogate_reward", "Sum of rewards.", _ARM, _each(arms, "reward"))
    yield counter("evogate_rewarded_requests", "Requests that have a reward.", _ARM, _each(arms, "rewarded"))
    text = "Arms that an epoch had to do without, once for each epoch; production serves in their place."
    yield counter("evogate_left_out_arms", text, _ARM, _each(arms, "left_out"))
    failures: dict[Labels, float] = {
        (*arm, name): float(n) for arm, c in arms.items() for name, n in c.failures.items()
    }
    yield counter("evogate_failures", "Settled requests by failure class.", (*_ARM, "class"), failures)
    first: dict[Labels, Histogram] = {arm: counters.first_byte for arm, counters in arms.items()}
    yield histogram("evogate_first_byte_seconds", "To the head of the answer, as seen here.", _ARM, first)
    latency: dict[Labels, Histogram] = {arm: counters.latency for arm, counters in arms.items()}
    yield histogram("evogate_latency_seconds", "To the last byte, as seen here.", _ARM, latency)
    yield histogram("evogate_overhead_seconds", "The gateway's own share of a request.", (), {(): metrics.overhead})


def _state(worker: Worker) -> Iterator[Family]:
    core = worker.core
    yield gauge("evogate_epoch", "Number of the epoch in force.", core.epoch.number, merge="most")
    yield gauge("evogate_ready", "1 while requests are accepted.", worker.app.ready, merge="least")
    yield gauge("evogate_recording", "1 while frames reach the disk.", core.recording, merge="least")
    joined = worker.started_from is None
    text = "1 while what is served comes from the registry, and not from a start without it."
    yield gauge("evogate_registry_joined", text, joined, merge="least")
    waiting = worker.spool.writer.waiting
    yield gauge("evogate_spool_waiting_bytes", "Frames not written yet.", waiting, merge="sum")
    shares: dict[Labels, float] = {}
    for view in core.epoch.policies.values():
        for arm, (_, odds) in zip(view.drawn, view.odds, strict=True):
            shares[view.name, arm.role] = shares.get((view.name, arm.role), 0.0) + odds
    yield gauge("evogate_arm_share_ratio", "Share of new conversations.", shares, labels=_ARM, merge="mean")


def _upstreams(worker: Worker) -> Iterator[Family]:
    routes = worker.routes.all
    states = {name: route.admission.health.state for name, route in routes.items()}
    up: dict[Labels, float] = {(name,): float(state is State.CLOSED) for name, state in states.items()}
    yield gauge("evogate_upstream_up", "1 while its circuit is closed.", up, labels=_UPSTREAM, merge="least")
    circuit: dict[Labels, float] = {(n, s.value): float(s is state) for n, state in states.items() for s in State}
    text = "Workers whose circuit is in that state."
    yield gauge("evogate_upstream_circuit_workers", text, circuit, labels=(*_UPSTREAM, "state"), merge="sum")
    waiting: dict[Labels, float] = {(name,): float(route.admission.waiting) for name, route in routes.items()}
    text = "Requests that wait for it."
    yield gauge("evogate_upstream_waiting_requests", text, waiting, labels=_UPSTREAM, merge="sum")
    flying: dict[Labels, float] = {(name,): float(route.in_flight) for name, route in routes.items()}
    text = "Calls that have not ended."
    yield gauge("evogate_upstream_running_requests", text, flying, labels=_UPSTREAM, merge="sum")


def _recovered(worker: Worker) -> Iterator[Family]:
    metrics = worker.core.metrics
    more: dict[Labels, float] = {key: float(count) for key, count in metrics.more_attempts.items()}
    text = "Attempts after the first, by what had failed."
    yield counter("evogate_more_attempts", text, ("step", "reason"), more)
    given_up: dict[Labels, float] = {(reason,): float(count) for reason, count in metrics.given_up.items()}
    text = "Failures that there was no other attempt for, by why."
    yield counter("evogate_given_up_requests", text, ("reason",), given_up)


def _embeddings(worker: Worker) -> Iterator[Family]:
    embedder = worker.core.embedder
    yield counter("evogate_embedding_requests", "Calls to the embedding model.", (), {(): float(embedder.calls)})
    yield counter("evogate_embedding_tokens", "Tokens of those calls.", (), {(): float(embedder.tokens)})
    yield counter("evogate_embedding_usd", "What those calls cost, in US dollars.", (), {(): embedder.usd})
    without: dict[Labels, float] = {key: float(count) for key, count in embedder.without.items()}
    text = "Retrievals and answers that did without the embedding they wanted."
    yield counter("evogate_embedding_missed_requests", text, ("use", "reason"), without)


def _events(worker: Worker) -> Iterator[Family]:
    metrics, spool = worker.core.metrics, worker.spool
    for name, value, text in (
        ("relayed_requests", metrics.relayed, "Uncovered requests."),
        ("feedback", metrics.feedback, "Accepted feedback."),
        ("signals", metrics.signals, "Retries and corrections that were seen."),
        ("mirrored_requests", metrics.mirrored, "Requests sent to shadow candidates."),
        ("mirror_dropped_requests", metrics.mirror_dropped, "Mirrors left out for want of room or money."),
        ("registry_absent_restarts", metrics.starts_without_registry, "Starts while the registry was away."),
        ("rollbacks", metrics.trips, "Candidates taken back by this gateway."),
        ("spool_lost_frames", spool.writer.lost, "Frames that were dropped, or may not be on the disk."),
        ("spool_failed_writes", spool.commit.failures, "Writes and syncs that failed."),
        ("spool_retired_segments", spool.upkeep.retired, "Segments that were too old or too many."),
        ("spool_upkeep_faults", spool.upkeep.faults, "Rounds of compression and retirement that failed."),
    ):
        yield counter(f"evogate_{name}", text, (), {(): float(value)})


def configuration(reloads: int, failures: int) -> list[Family]:
    """How changes of the configuration went: counted once for all workers."""
    return [
        counter("evogate_config_reloads", "Configurations taken over.", (), {(): float(reloads)}),
        counter("evogate_config_reload_failures", "Configurations that were not.", (), {(): float(failures)}),
    ]


def _faults(worker: Worker) -> Iterator[Family]:
    core = worker.core
    stages: dict[Labels, float] = {(stage,): float(count) for stage, count in core.fall_open.counts.items()}
    yield counter("evogate_fell_open", "Faults that cost no client its answer.", ("stage",), stages)
    errors: dict[Labels, float] = {(reason,): float(count) for reason, count in core.metrics.errors.items()}
    observer = core.observer
    lost: dict[Labels, float] = {("dropped",): 0.0, ("refused",): 0.0}
    if observer is not None:
        lost = {("dropped",): float(observer.dropped), ("refused",): float(observer.refused)}
    yield counter("evogate_telemetry_lost_requests", "Requests that no trace was sent of.", ("reason",), lost)
    yield counter("evogate_errors", "Errors that the gateway answered with itself.", ("reason",), errors)


def _each(arms: Mapping[tuple[str, str], ArmCounters], name: str) -> dict[Labels, float]:
    return {arm: float(getattr(counters, name)) for arm, counters in arms.items()}
