"""What the gateway costs: `make bench`.

One core for what is measured, one for the load generator (wrk, closed loop) and the nginx that plays the provider;
0.3 KB up, 0.7 KB down, every message different. The targets take turns, several rounds of them, and medians are
printed: read ratios and CPU time per request, which a busy machine disturbs least, before absolutes. Closed-loop
latencies are means at full load, not what a client sees at a normal rate.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from loadtests import throughput_rig as rig
from loadtests.throughput_rig import BYPASS, Cores, Target
from policies.errors import OperatorError

DIRECT, PROXY = "nginx, asked directly", "nginx as plain proxy"
TRANSPORT, RELAY, EVERYTHING = "transport alone", "EvoGate, relay (bypass)", "EvoGate, everything on"

CONFIG = """\
gateway: {{admin_port: {admin}}}
upstreams:
  bench: {{base_url: "http://127.0.0.1:{provider}/v1"}}
models:
  large: {{upstream: bench, model: bench-large, usd_per_mtok: {{input: 2.0, output: 8.0}}}}
policies:
  bench:
    mode: observe
    match: {{path: /v1/chat/completions, model: "*"}}
    genome:
      prompt: {{rubric: "Answer in one short paragraph. Name the next step.", placement: after}}
      strategy: {{model_key: large, temperature: 0.3, max_tokens: 512}}
"""


@dataclass(frozen=True)
class Measurement:
    """One target under load for a while; ratios against nginx follow from these."""

    target: str
    requests_per_s: float
    mean_ms: float
    cpu_us_per_request: float
    resident_mb: float
    failed: int  # connections that broke, and answers that were not 2xx


def measure(target: Target, *, connections: int, seconds: int, core: int) -> Measurement:
    """Load it once."""
    before = rig.cpu_seconds(target.pid)
    counted = rig.wrk(target, connections=connections, seconds=seconds, core=core)
    used = rig.cpu_seconds(target.pid) - before
    requests = max(counted["requests"], 1)
    return Measurement(
        target=target.name,
        requests_per_s=counted["requests"] / counted["seconds"],
        mean_ms=counted["mean_ms"],
        cpu_us_per_request=used * 1e6 / requests,
        resident_mb=rig.resident_mb(target.pid),
        failed=counted["errors"] + counted["not_2xx"],
    )


def middle(runs: Sequence[Measurement]) -> Measurement:
    """The medians of one target's rounds; failures are added up, memory is what it was at the end."""
    return Measurement(
        target=runs[0].target,
        requests_per_s=statistics.median(run.requests_per_s for run in runs),
        mean_ms=statistics.median(run.mean_ms for run in runs),
        cpu_us_per_request=statistics.median(run.cpu_us_per_request for run in runs),
        resident_mb=runs[-1].resident_mb,
        failed=sum(run.failed for run in runs),
    )


def start_targets(stack: contextlib.ExitStack, folder: Path, cores: Cores) -> list[Target]:
    """Everything that takes part, from the bare provider to the whole gateway."""
    provider = stack.enter_context(rig.nginx(folder, DIRECT, provider=None, core=cores.other))
    proxy = stack.enter_context(rig.nginx(folder, PROXY, provider=provider.port, core=cores.measured))
    url, port = f"http://127.0.0.1:{provider.port}", rig.free_port()
    command = [sys.executable, "-m", "loadtests.relay_app", "--port", str(port), "--upstream", url]
    transport = stack.enter_context(rig.serving(command, Target(TRANSPORT, port, 0), folder, cores.measured))
    gateway = stack.enter_context(start_gateway(folder, provider.port, cores.measured))
    relay = Target(RELAY, gateway.port, gateway.pid, BYPASS)
    return [provider, proxy, transport, relay, gateway]


def start_gateway(folder: Path, provider: int, core: int) -> "contextlib.AbstractContextManager[Target]":
    """The gateway as a user would start it: policy, recording and metrics on, one worker."""
    config = folder / "evogate.yaml"
    config.write_text(CONFIG.format(provider=provider, admin=rig.free_port()))
    port = rig.free_port()
    command = [rig.script("evogate"), "gateway", "--config", str(config), "--port", str(port)]
    env = {"EVOGATE_HOME": str(folder / "home")}
    return rig.serving(command, Target(EVERYTHING, port, 0), folder, core, env=env, ready="/ready")


def run(*, connections: int, seconds: int, rounds: int) -> list[Measurement]:
    """Measure every target in every round, in turns; one measurement each, in the order of the table."""
    cores = Cores.here()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="evogate-bench-")))
        targets = start_targets(stack, folder, cores)
        runs: dict[str, list[Measurement]] = {target.name: [] for target in targets}
        for target in targets:  # warm caches and connections
            rig.wrk(target, connections=connections, seconds=1, core=cores.other)
        for _ in range(rounds):
            for target in targets:
                result = measure(target, connections=connections, seconds=seconds, core=cores.other)
                runs[target.name].append(result)
    return [middle(results) for results in runs.values()]


def table(results: Sequence[Measurement]) -> str:
    """What people read."""
    speed = {result.target: result.requests_per_s for result in results}
    columns = f"{'requests/s':>12}{'mean ms':>10}{'CPU us/request':>16}{'RSS MB':>9}{'of nginx proxy':>16}{'failed':>8}"
    lines = [" " * 26 + columns]
    lines += [
        f"{r.target:<26}{r.requests_per_s:>12,.0f}{r.mean_ms:>10.2f}{r.cpu_us_per_request:>16.1f}{r.resident_mb:>9.0f}"
        f"{r.requests_per_s / (speed[PROXY] or 1):>15.0%} {r.failed:>8}"
        for r in results
    ]
    return "\n".join(lines)


def main() -> int:
    """Parse the options, measure, print; 0 done, 1 some requests failed, 2 something is missing."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.throughput", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="length of one measurement (default 4)")
    parser.add_argument("--connections", type=int, default=32, help="clients at once (default 32)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each target, in turns (default 3)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    try:
        rig.require()
        results = run(connections=options.connections, seconds=options.seconds, rounds=options.rounds)
    except OperatorError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps([asdict(result) for result in results], indent=2) if options.json else table(results))
    if Cores.here().measured == Cores.here().other:
        print("one core only: the load generator competed with what it measured", file=sys.stderr)
    return 1 if any(result.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
