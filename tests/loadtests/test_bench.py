"""The benchmark's own logic: ratios within a round, goals that are missed, doubts, processes that end."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from config.loader import load
from loadtests.bench import peers
from loadtests.bench.closed import Closed
from loadtests.bench.doubts import doubts
from loadtests.bench.evogate import POLICY, Gateway
from loadtests.bench.goals import goals
from loadtests.bench.machine import Cores, family
from loadtests.bench.paced import Paced
from loadtests.bench.plan import PARTS, Plan
from loadtests.bench.processes import await_from, lives, output_of, process
from loadtests.bench.report import markdown
from loadtests.bench.results import Memory, Results
from loadtests.bench.streams import BUSY, HELD, Streamed
from loadtests.bench.targets import DIRECT, ENVOY, EVERYTHING, LITELLM, MIRROR_100, PORTKEY, RELAY, TENSORZERO, Target
from loadtests.generator.arrivals import MARK
from loadtests.peers import install
from policies.errors import OperatorError

SPEED = {ENVOY: 10_000.0, TENSORZERO: 4_000.0, PORTKEY: 500.0, LITELLM: 100.0, RELAY: 20_000.0, EVERYTHING: 15_000.0}


def closed_row(target: str, speed: float, number: int) -> Closed:
    return Closed(target, number, 32, speed, mean_ms=1.0, cpu_us=50.0, generator_busy=0.5, resident_mb=50.0, failed=0)


def paced_row(target: str, number: int, p50: float, p99: float) -> Paced:
    return Paced(
        target, number, 1000, answered=4000, failed=0, p50=p50, p99=p99, p999=p99, late_p99=0.1, generator_busy=0.5,
        resident_mb=60.0,
    )  # fmt: skip


def streamed_row(target: str, streams: int, *, p99: float, memory: float, whole: int | None = None) -> Streamed:
    return Streamed(
        target, 0, streams, per_s=10.0, began=streams, most_open=streams, whole=streams if whole is None else whole,
        events_per_s=20_000.0, p50=1.0, p99=p99, longest=2.0 * p99, cpu_share=0.5, generator_busy=0.6,
        resident_mb=memory,
    )  # fmt: skip


@pytest.fixture
def results() -> Results:
    """Two rounds, the second on a machine half as fast: ratios within a round are the same."""
    found = Results()
    for number, pace in enumerate((1.0, 0.5)):
        found.closed += [closed_row(name, speed * pace, number) for name, speed in SPEED.items()]
        slow = 1.0 / pace
        found.paced += [paced_row(DIRECT, number, 0.1 * slow, 0.2 * slow)]
        found.paced += [paced_row(EVERYTHING, number, 0.1 * slow + 0.12, 0.2 * slow + 0.7)]
    for number, added in enumerate((0.1, 9.0, 0.2, 0.25, -0.1)):
        found.pairs += [paced_row(EVERYTHING, number, 0.2, 0.5), paced_row(MIRROR_100, number, 0.3, 0.5 + added)]
    found.streamed += [streamed_row(ENVOY, BUSY.streams, p99=400.0, memory=150.0)]
    found.streamed += [streamed_row(EVERYTHING, BUSY.streams, p99=60.0, memory=60.0)]
    found.streamed += [streamed_row(EVERYTHING, HELD.streams, p99=60.0, memory=60.0)]
    return found


def verdicts(results: Results) -> list[tuple[float | None, str]]:
    return [(round(goal.measured, 3) if goal.measured is not None else None, goal.verdict) for goal in goals(results)]


def test_goals_are_ratios_within_a_round_and_misses_show(results: Results) -> None:
    assert verdicts(results) == [
        (1.5, "reached"),  # Envoy
        (3.75, "missed"),  # TensorZero
        (30.0, "reached"),  # Portkey
        (150.0, "reached"),  # LiteLLM
        (25.0, "reached"),  # against the plain relay
        (0.12, "reached"),  # added p50
        (0.7, "missed"),  # added p99
        (1.0, "reached"),  # events/s
        (0.15, "reached"),  # first event
        (0.4, "missed"),  # memory
        (100.0, "reached"),  # held open
        (0.2, "reached"),  # mirroring: the median of the pairs
    ]


def test_what_was_not_measured_is_said() -> None:
    assert {verdict for _, verdict in verdicts(Results())} == {"not measured"}
    assert "not measured" in markdown(Results())


def test_streams_that_break_off_miss_their_goal(results: Results) -> None:
    results.streamed[-1] = replace(results.streamed[-1], whole=HELD.streams - 1)
    assert goals(results)[-2].verdict == "missed"
    assert any("1 did not come to their end" in line for line in doubts(results))


def test_doubts_name_failures_and_a_full_generator(results: Results) -> None:
    assert doubts(results) == []
    results.closed[0] = replace(results.closed[0], failed=3, generator_busy=1.0)
    results.paced[0] = replace(results.paced[0], late_p99=7.0)
    failed, full, late = doubts(results)
    assert "3 requests failed" in failed
    assert f"{ENVOY} at 32" in full
    assert "up to 7.0 ms" in late


def test_the_report_has_every_table_and_survives_json(results: Results) -> None:
    results.memory[EVERYTHING] = Memory(idle=40.0, load=60.0, after=55.0)
    results.memory[RELAY] = Memory(idle=40.0)
    results.stream_memory[ENVOY] = Memory(idle=30.0, load=150.0, after=140.0)
    text = markdown(results)
    for title in ("Goals", "Throughput", "Added latency", "Streams", "Resident memory"):
        assert f"### {title}" in text
    assert f"| {EVERYTHING} | 40 | 60 | 55 |" in text
    assert f"| {RELAY} | 40 | - | - |" in text, "what was not loaded has no memory under load"
    assert f"| {ENVOY} | 30 | 150 | 140 |" in text
    assert "1.0 / 60.0 / 120.0" in text
    assert f"| {EVERYTHING} | 11,250 | 50 |" in text
    assert f"| {EVERYTHING} | 0.12 / 0.70 / 0.70 |" in text
    assert json.loads(json.dumps(results.as_json()))["memory"][EVERYTHING]["after"] == 55.0


def test_requests_differ_from_run_to_run_and_by_their_mark() -> None:
    target = Target("any", 1, headers=("x-evogate-bypass: 1",))
    one, other = target.request(stream=True), target.request(stream=True)
    assert one != other
    head, body = one.split(b"\r\n\r\n")
    assert one.count(MARK) == 1
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"x-evogate-bypass: 1" in head
    assert json.loads(body)["stream"] is True


@pytest.mark.parametrize("mirrored", [0.0, 0.1, 1.0])
def test_the_gateways_configuration_is_valid(tmp_path: Path, mirrored: float) -> None:
    gateway = Gateway.prepare("any", tmp_path, 9, mirrored=mirrored, retain_bytes=5_000_000)
    settings = load(gateway.config, {})
    assert settings.policies[POLICY].shadow.sample == mirrored
    assert settings.recording.retain_bytes == 5_000_000


def test_peers_that_are_not_installed_are_not_started(tmp_path: Path) -> None:
    assert peers.installed(tmp_path) == {}
    binary = tmp_path / "envoy/bin/envoy"
    binary.parent.mkdir(parents=True)
    binary.touch()
    launch = peers.installed(tmp_path)[ENVOY](tmp_path, 4242)
    conf = json.loads(Path(launch.command[2]).read_text())
    (cluster,) = conf["static_resources"]["clusters"]
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert endpoint["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 4242}


def test_an_installation_is_done_once_and_a_failure_is_skipped(tmp_path: Path) -> None:
    done: list[str] = []
    versions: dict[str, str] = {}

    def good(where: Path, requirement: str) -> None:
        where.mkdir()
        done.append(requirement)

    def bad(where: Path, _: str) -> None:
        where.mkdir()
        raise OSError("no network")

    assert install.ensure(tmp_path / "a", "a==1", good, versions)
    assert install.ensure(tmp_path / "a", "a==1", good, versions)
    assert install.ensure(tmp_path / "a", "a==2", good, versions)
    assert done == ["a==1", "a==2"]
    assert not install.ensure(tmp_path / "b", "b==1", bad, versions)
    assert not (tmp_path / "b").exists()
    assert versions == {"a": "a==2"}


def test_a_process_and_its_descendants_end_with_the_block(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys; child = subprocess.Popen(['sleep', '60']); print(child.pid, flush=True); child.wait()"
    )
    log = tmp_path / "log"
    with process([sys.executable, "-c", script], Cores.here().other, log) as pid:
        child = await_from("parent", pid, log, lambda: int(log.read_text() or 0) or None)
        assert family(pid) == [pid, child]
        assert lives(child)
    assert not Path(f"/proc/{pid}").exists()
    assert not lives(child)


def test_a_process_that_ends_at_once_is_reported_with_its_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        process([sys.executable, "-c", "raise SystemExit('no such port')"], Cores.here().other, log) as pid,
        pytest.raises(OperatorError, match="no such port"),
    ):
        await_from("it", pid, log, lambda: None)


def test_a_command_that_fails_or_hangs_is_an_error() -> None:
    core = Cores.here().other
    assert output_of(["echo", "yes"], core, timeout_s=5.0) == "yes\n"
    with pytest.raises(OperatorError, match="failed"):
        output_of(["false"], core, timeout_s=5.0)
    with pytest.raises(OperatorError, match="did not end within"):
        output_of(["sleep", "30"], core, timeout_s=0.2)


def test_a_quick_plan_has_the_same_parts() -> None:
    plan, quick = (Plan.of(PARTS, quick=quick, peers=True) for quick in (False, True))
    assert plan.parts == quick.parts == set(PARTS)
    assert sum(quick.paced.values()) < sum(plan.paced.values())


def test_a_watch_of_memory_that_an_interrupt_left_running_does_not_keep_the_program() -> None:
    """Ctrl-C between the start of the watch and the block: its `__exit__` is never called."""
    program = (
        "import os\nfrom loadtests.bench.machine import Peak\nPeak(os.getpid()).__enter__()\nraise KeyboardInterrupt"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30)
    assert "KeyboardInterrupt" in done.stderr
