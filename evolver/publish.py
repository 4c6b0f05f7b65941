"""Prompt files: every promoted prompt is written to `prompt_registry/`, and a file written there by hand is proposed.

`p_v1_2.json` is version v1.2 of the first policy; further policies have a folder each.
"""

import hashlib
import logging
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from evolver.context import Context
from policies.errors import NotFoundError
from policies.genome import Genome, Lineage, PromptLayer
from policies.registry.operations import production_of
from policies.registry.values import Candidate, Version

log = logging.getLogger(__name__)

FOLDER = "prompt_registry"
MAX_BYTES = 1 << 20
MAX_RULE = 4_000  # characters, as in the genome's schema


def folder_of(home: Path, policies: list[str], policy: str) -> Path:
    """Where a policy's files are."""
    root = home / FOLDER
    return root if not policies or policies[0] == policy else root / policy


def text_of(genome: Genome) -> str:
    """The prompt as one text: its rules, a paragraph each."""
    return "\n\n".join(rule.text for rule in genome.prompt.rubric)


async def publish(
    context: Context, version: Version, previous: Version, training: dict[str, Any] | None = None
) -> Path:
    """Write a version's file, and remember that it is ours; `training` is what a trainer has measured of it."""
    folder = folder_of(context.home, list(context.settings.policies), version.policy)
    path = folder / f"p_v{version.number[0]}_{version.number[1]}.json"
    content = orjson.dumps(document(version, previous, training), option=orjson.OPT_INDENT_2)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = await context.registry.state("prompt_files")
    # Known before it exists: a kill in between must not make us propose our own file to ourselves.
    await context.registry.set_state("prompt_files", {**known, _name(context.home, path): _digest(content)})
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)
    return path


def document(version: Version, previous: Version, training: dict[str, Any] | None = None) -> dict[str, Any]:
    """The published form (see the contract in the README).

    `reward_gain` is what the trainer measured on unseen requests, where one made the version; else the canary's
    interval, candidate minus production.
    """
    measured = (training or {}).get("reward_gain")
    gain = measured or version.evidence.get("intervals", {}).get("reward")
    return {
        "prompt_id": f"{version.policy}-{version.genome.content_hash[:12]}",
        "version": version.label,
        "source": version.lineage.source,
        "text": text_of(version.genome),
        "metadata": {
            "created_at": version.created_at,
            "reward_gain": gain,
            "cluster_id": version.lineage.finding,
            "policy": version.policy,
            "previous": previous.label,
            "genome": version.genome.canonical(),
        },
    }


@dataclass(slots=True)
class PromptFiles:
    """Looks for files that somebody else wrote; each content is taken up, or complained about, once."""

    stamps: dict[Path, tuple[int, int]]

    async def look(self, context: Context) -> int:
        """Propose what is new; the number of candidates added."""
        added = 0
        for policy in context.settings.policies:
            folder = folder_of(context.home, list(context.settings.policies), policy)
            for path in sorted(folder.glob("p_*.json")):
                if self._changed(path):
                    added += await self._take(path, policy, context)
        return added

    def _changed(self, path: Path) -> bool:
        try:
            status = path.stat()
        except OSError:
            return False
        stamp = (status.st_mtime_ns, status.st_size)
        if self.stamps.get(path) == stamp:
            return False
        self.stamps[path] = stamp
        return True

    async def _take(self, path: Path, policy: str, context: Context) -> bool:
        name, known = _name(context.home, path), await context.registry.state("prompt_files")
        content = _content(path)
        try:
            if known.get(name) == _digest(content):
                return False
            base, _ = await production_of(context.registry, policy)
            genome = read(content, base.genome)
        except NotFoundError:
            self.stamps.pop(path, None)  # nothing is in production yet: look again
            return False
        except ValueError as error:
            log.warning("%s: not proposed: %s", path, error)
            await context.registry.set_state("prompt_files", {**known, name: _digest(content)})
            return False
        added = await context.registry.add_candidate(_candidate(policy, genome, base, path.name, context.now))
        await context.registry.set_state("prompt_files", {**known, name: _digest(content)})
        log.info("%s: %s", path, "proposed" if added else "not proposed: known, on its way or tombstoned")
        return added


def read(content: bytes, base: Genome) -> Genome:
    """The genome that a hand-written file proposes: production with that text as its rules.

    Raises:
        ValueError: not such a file, or nothing new in it.
    """
    if len(content) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes")
    value = orjson.loads(content)
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise ValueError("it needs a `text`")
    rules = list(dict.fromkeys(part.strip() for part in text.split("\n\n") if part.strip()))
    if any(len(rule) > MAX_RULE for rule in rules):
        raise ValueError(f"a paragraph is longer than {MAX_RULE} characters")
    try:
        layer = PromptLayer.model_validate({**base.prompt.model_dump(exclude={"rubric"}), "rubric": rules})
    except ValidationError as error:
        raise ValueError(str(error.errors()[0]["msg"])) from error
    genome = base.model_copy(update={"prompt": layer})
    if text_of(genome) == text_of(base):
        raise ValueError("its text is the one in production")
    return genome


def _candidate(policy: str, genome: Genome, base: Version, file: str, now: float) -> Candidate:
    return Candidate(
        id=secrets.token_hex(6),
        policy=policy,
        layer="prompt",
        genome=genome,
        base=base.label,
        lineage=Lineage(source="operator", operator=f"file {file}", parents=(base.genome.content_hash,)),
        state="proposed",
        state_since=now,
        created_at=now,
        reason=f"written by hand: {file}",
    )


def _content(path: Path) -> bytes:
    """The file's bytes; none where it is gone or unreadable, which proposes nothing."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _name(home: Path, path: Path) -> str:
    return str(path.relative_to(home / FOLDER))


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
