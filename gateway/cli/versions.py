"""Commands that look at versions: which there were, one whole, what differs between two."""

import time
from pathlib import Path
from typing import Any

import click

from gateway.cli.common import (
    ago,
    home_option,
    json_option,
    policy_option,
    print_json,
    print_table,
    the_policy,
    with_registry,
)
from policies.genome import Genome
from policies.registry.manifest import manifest
from policies.registry.operations import find_version
from policies.registry.port import Registry
from policies.registry.values import Pointer, Version

SHOWN = ("e_value", "threshold", "restored", "override", "candidate")  # of a version's evidence, in the table


@click.command()
@policy_option
@home_option
@json_option
def history(policy: str | None, home: Path, as_json: bool) -> None:
    """Versions of a policy: what each is, who made it, why, and how long it was in production."""

    async def work(registry: Registry) -> tuple[list[Version], list[Pointer]]:
        name = await the_policy(registry, policy)
        return await registry.versions(name), await registry.pointers(name)

    versions, pointers = with_registry(home, work)
    manifests = [_manifest(version, pointers) for version in versions]
    if as_json:
        print_json(manifests)
        return
    rows = [_history(found) for found in reversed(manifests)]
    columns = ("version", "made", "by", "source", "active", "why", "evidence")
    print_table("versions (* in production)", columns, rows, empty="none")


def _manifest(version: Version, pointers: list[Pointer]) -> dict[str, Any]:
    """With the names that this command has always used beside those of the manifest."""
    found = manifest(version, pointers, time.time())
    return found | {"hash": found["content_hash"], "in_production": found["production"]}


def _history(found: dict[str, Any]) -> tuple[str, ...]:
    mark, active = (" *", " so far") if found["production"] else ("", "")
    evidence = ", ".join(f"{name} {_number(found['evidence'][name])}" for name in SHOWN if name in found["evidence"])
    return (
        found["version"] + mark,
        ago(found["created_at"]),
        found["who"],
        found["lineage"]["source"],
        f"{found['active_s']:.0f} s{active}",
        found["why"],
        evidence or "—",
    )


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _with_version(home: Path, policy: str | None, *labels: str) -> list[Version]:
    async def work(registry: Registry) -> list[Version]:
        name = await the_policy(registry, policy)
        return [await find_version(registry, name, label) for label in labels]

    return with_registry(home, work)


@click.command()
@click.argument("version")
@policy_option
@home_option
def show(version: str, policy: str | None, home: Path) -> None:
    """VERSION whole, as JSON: every gene of every layer, lineage, evidence, and when it was in production."""

    async def work(registry: Registry) -> dict[str, Any]:
        name = await the_policy(registry, policy)
        return _manifest(await find_version(registry, name, version), await registry.pointers(name))

    print_json(with_registry(home, work))


@click.command()
@click.argument("a")
@click.argument("b")
@policy_option
@home_option
@json_option
def diff(a: str, b: str, policy: str | None, home: Path, as_json: bool) -> None:
    """What differs between versions A and B, gene by gene."""
    old, new = _with_version(home, policy, a, b)
    changes = differences(old.genome, new.genome)
    if as_json:
        print_json([{"gene": gene, "before": before, "after": after} for gene, before, after in changes])
        return
    rows = [(gene, _short(before), _short(after)) for gene, before, after in changes]
    print_table(f"{old.label} → {new.label}", ("gene", old.label, new.label), rows, empty="no difference")


def differences(old: Genome, new: Genome) -> list[tuple[str, Any, Any]]:
    """(gene, before, after) for each gene that differs; rules of the rubric one by one."""
    before, after = _flat(old), _flat(new)
    keys = list(dict.fromkeys([*before, *after]))
    return [(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]


def _flat(genome: Genome) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for layer, genes in genome.model_dump(mode="json").items():
        for gene, value in genes.items():
            if gene == "rubric":
                flat |= {f"{layer}.rubric.{rule['id']}": rule["text"] for rule in value}
            else:
                flat[f"{layer}.{gene}"] = value
    return flat


def _short(value: Any) -> str:
    return "—" if value is None else str(value)


COMMANDS = (history, show, diff)
