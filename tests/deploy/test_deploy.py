"""What stands in deploy/ speaks of what is there: metrics by name, files by path, packages by the lock."""

import re
import tomllib
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from config.loader import load
from deploy.locked import selected, wanted_for
from evolver.daemon import Daemon
from tests.evolver.support import make_settings
from tests.gateway.workers.conftest import sandbox, several

__all__ = ["sandbox"]

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
ROOT = DEPLOY.parent
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def document(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def asked() -> list[str]:
    """Every query of the rules and of the dashboard."""
    rules = [rule["expr"] for group in document("prometheus/rules.yml")["groups"] for rule in group["rules"]]
    panels = orjson.loads((DEPLOY / "grafana/dashboard.json").read_bytes())["panels"]
    return rules + [target["expr"] for panel in panels for target in panel["targets"]]


def series(text: str) -> set[str]:
    """The names that a scrape gives, those included that have no rows yet."""
    families = text_string_to_metric_families(text)
    return {family.name + suffix for family in families for suffix in SUFFIXES.get(family.type, ())}


async def test_rules_and_dashboard_name_metrics_that_are_there(sandbox: str, tmp_path: Path) -> None:
    async with several(sandbox, tmp_path) as gateway:
        async with gateway.http.get(f"{gateway.parent.admin_url}/metrics") as answer:
            known = series(await answer.text())
        async with Daemon(make_settings(), tmp_path / "home") as daemon:
            known |= series((await daemon.exposition()).decode())
    named = {name for query in asked() for name in re.findall(r"\bevogate_\w+", query)}
    assert len(named) > 30
    assert named - known == set()


def test_every_alert_says_what_it_means() -> None:
    rules = [rule for group in document("prometheus/rules.yml")["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert rule["annotations"]["summary"].endswith(".")
    scraped = document("prometheus/prometheus.yml")
    assert scraped["rule_files"] == ["rules.yml"]


def test_compose_is_a_gateway_of_two_and_an_evolver_on_one_volume() -> None:
    services = document("compose.yaml")["services"]
    gateway, evolver = services["gateway"], services["evolver"]
    assert gateway["command"][gateway["command"].index("--workers") + 1] == "2"
    assert gateway["image"] == evolver["image"]
    assert gateway["volumes"] == evolver["volumes"]
    assert (ROOT / gateway["build"]["dockerfile"]).is_file()
    mounted = [volume for service in services.values() for volume in service["volumes"] if volume.startswith("./")]
    assert mounted
    for volume in mounted:
        assert (DEPLOY / volume.split(":")[0]).exists(), volume
    config = re.search(r":-([^}]+)}", gateway["volumes"][1])
    assert config is not None
    settings = load(DEPLOY / config.group(1), {})
    assert float(gateway["stop_grace_period"].removesuffix("s")) > settings.gateway.limits.drain_s + 10


def test_the_image_is_small_of_its_own_user_and_watched() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("FROM ")] == [
        "FROM python:3.11-slim AS build",
        "FROM python:3.11-slim",
    ]
    assert "USER evogate" in lines
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), line


@pytest.mark.parametrize("extras", [[], ["evolver", "postgres", "otel"]])
def test_the_image_has_what_the_product_needs_and_no_tools(extras: list[str]) -> None:
    lock = (ROOT / "requirements.lock").read_text()
    needed = selected(lock, wanted_for(extras))
    names = set(re.findall(r"^([a-z0-9-]+)==", needed, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert len(project["dependencies"]) <= len(wanted_for([])) <= len(names)
    assert wanted_for(extras) <= names
    assert {"yarl", "pydantic-core"} <= names, "what they need is there"
    assert not {"pytest", "locust", "mypy", "pandas"} & names
    assert ("joblib" in names) is ("evolver" in extras)
    assert needed.count("\nnumpy==") == lock.count("\nnumpy=="), "a version for each Python"
    assert needed.count("==") <= needed.count("--hash=sha256:")
