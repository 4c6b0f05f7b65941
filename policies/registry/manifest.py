"""A version's manifest: every parameter of it, layer by layer, whence it comes, and when it was in production. Pure."""

import hashlib
import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from policies.genome import LAYERS, Genome
from policies.registry.values import Pointer, Version


def manifest(version: Version, pointers: Sequence[Pointer], now: float) -> dict[str, Any]:
    """All that a version is, as JSON values: genes with their defaults filled in, times in Unix seconds."""
    spells = active(version.label, pointers)
    return {
        "version": version.label,
        "policy": version.policy,
        "content_hash": version.genome.content_hash,
        "layers": {name: _layer(version.genome, name) for name in LAYERS},
        "genome": version.genome.canonical(),
        "lineage": version.lineage.model_dump(mode="json"),
        "created_at": version.created_at,
        "who": version.who,
        "why": version.why,
        "evidence": version.evidence,
        "production": bool(pointers) and pointers[-1].version == version.label,
        "active": [{"from": start, "to": end} for start, end in spells],
        "active_s": sum((now if end is None else end) - start for start, end in spells),
    }


def active(label: str, pointers: Sequence[Pointer]) -> list[tuple[float, float | None]]:
    """The spells (Unix seconds) that a version was in production; the present one has no end."""
    spells: list[tuple[float, float | None]] = [
        (before.moved_at, after.moved_at) for before, after in pairwise(pointers) if before.version == label
    ]
    if pointers and pointers[-1].version == label:
        spells.append((pointers[-1].moved_at, None))
    return spells


def _layer(genome: Genome, name: str) -> dict[str, Any]:
    """A layer's genes, and the hash by which the same layer is found again in another version."""
    genes = getattr(genome, name)
    text = json.dumps(genes.model_dump(mode="json", exclude_defaults=True), sort_keys=True, separators=(",", ":"))
    return {
        "hash": hashlib.blake2b(f"{name}:{text}".encode(), digest_size=16).hexdigest(),
        "genes": genes.model_dump(mode="json"),
    }
