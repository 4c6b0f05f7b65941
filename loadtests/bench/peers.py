"""Other gateways as users would run them, from the folder that `loadtests/peers/install.py` fills.

Each is given the same core, one worker and the same provider; what they record is off, logs are at errors only.
"""

import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from loadtests.bench.machine import free_port
from loadtests.bench.targets import ENVOY, LITELLM, PORTKEY, TENSORZERO, Launch, Target

DEFAULT = Path("build/peers")
NAMES = (ENVOY, TENSORZERO, PORTKEY, LITELLM)
_MANY = 1_000_000


def folder() -> Path:
    """Where the peers are: EVOGATE_PEERS, or build/peers."""
    return Path(os.environ.get("EVOGATE_PEERS") or DEFAULT).resolve()


def installed(peers: Path) -> dict[str, Callable[[Path, int], Launch]]:
    """What can be started, by name: a function of (folder for its files, port of the provider)."""
    where: dict[str, tuple[Path, Callable[[Path, Path, int], Launch]]] = {
        ENVOY: (peers / "envoy/bin/envoy", envoy),
        TENSORZERO: (peers / "tensorzero/bin/python", tensorzero),
        PORTKEY: (peers / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js", portkey),
        LITELLM: (peers / "litellm/bin/litellm", litellm),
    }
    if shutil.which("node") is None:
        del where[PORTKEY]
    return {name: partial(start, file) for name, (file, start) in where.items() if file.exists()}


def envoy(file: Path, folder: Path, upstream: int) -> Launch:
    """Envoy, one worker, no access log; circuit breakers opened, for they would refuse above 1,024 connections."""
    port = free_port()
    thresholds = [{"max_connections": _MANY, "max_pending_requests": _MANY, "max_requests": _MANY}]
    cluster = {
        "name": "provider",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": thresholds},
        "load_assignment": {
            "cluster_name": "provider",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}],
        },
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": "provider", "timeout": "0s"}}
    manager = {
        "@type": _type("filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": _type("filters.http.router.v3.Router")}}],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    listener = {"name": "bench", "address": _address(port), "filter_chains": [chain]}
    conf = folder / f"envoy-{port}.json"
    conf.write_text(json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}))
    options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    return Launch(Target(ENVOY, port), [str(file), "-c", str(conf), *options])


def _address(port: int) -> dict[str, dict[str, object]]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _type(name: str) -> str:
    return f"type.googleapis.com/envoy.extensions.{name}"


_TENSORZERO = """
[gateway]
observability.enabled = false
[models.bench]
routing = ["provider"]
[models.bench.providers.provider]
type = "openai"
model_name = "bench-large"
api_base = "http://127.0.0.1:{upstream}/v1/"
api_key_location = "none"
"""
# Its Python package carries the gateway; it chooses the port by itself and tells it here.
_TENSORZERO_HOST = """
import sys, time
from tensorzero.tensorzero import _start_http_gateway
gateway = _start_http_gateway(
    config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False)
print("serving", gateway.base_url, flush=True)
while True:
    time.sleep(3600)
"""


def tensorzero(file: Path, folder: Path, upstream: int) -> Launch:
    """TensorZero's HTTP gateway with observability off."""
    conf = folder / "tensorzero.toml"
    conf.write_text(_TENSORZERO.format(upstream=upstream))
    target = Target(TENSORZERO, 0, path="/openai/v1/chat/completions", model="tensorzero::model_name::bench")
    return Launch(target, [str(file), "-c", _TENSORZERO_HOST, str(conf)], env={"RUST_LOG": "error"})


# It listens on every address and offers no choice; a benchmark stays on loopback.
_LOOPBACK = """
const { Server } = require('node:net');
const listen = Server.prototype.listen;
Server.prototype.listen = function (port, ...rest) {
  const others = rest.filter((value) => typeof value === 'function');
  return typeof port === 'number' ? listen.call(this, port, '127.0.0.1', ...others) : listen.call(this, port, ...rest);
};
"""


def portkey(file: Path, folder: Path, upstream: int) -> Launch:
    """Portkey's open-source gateway."""
    port = free_port()
    pin = folder / "loopback.cjs"
    pin.write_text(_LOOPBACK)
    headers = ("x-portkey-provider: openai", f"x-portkey-custom-host: http://127.0.0.1:{upstream}/v1")
    command = ["node", "--require", str(pin), str(file), "--headless", f"--port={port}"]
    return Launch(Target(PORTKEY, port, headers=headers), command, env={"NODE_ENV": "production"})


def litellm(file: Path, folder: Path, upstream: int) -> Launch:
    """LiteLLM's proxy, one worker, without a database."""
    port = free_port()
    conf = folder / f"litellm-{port}.yaml"
    params = {"model": "openai/bench-large", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "sk-bench"}
    conf.write_text(json.dumps({"model_list": [{"model_name": "bench", "litellm_params": params}]}))
    env = {
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
    }
    command = [str(file), "--config", str(conf), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    return Launch(Target(LITELLM, port), command, env=env)
