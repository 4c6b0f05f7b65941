"""`python -m evolver.golden`, which is what `evogate export` runs."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import click
import orjson

from config.loader import load
from config.policy import Policy
from config.settings import Settings
from evolver.examples import Example
from evolver.golden.build import build
from evolver.golden.collect import collect
from evolver.golden.export import Kind, lines, write
from evolver.golden.handwritten import handwritten
from evolver.golden.values import Golden
from evolver.store import Store
from policies.errors import EvoGateError, NotFoundError, OperatorError
from policies.memory.lines import from_lines
from policies.registry import open_registry
from policies.registry.operations import production_of
from policies.registry.port import Registry

RECORDS = 100_000  # newest requests that are looked at


@click.command()
@click.option("--golden", "kind", flag_value="golden", help="Examples known to be right, in four splits.")
@click.option("--fine-tuning", "kind", flag_value="fine-tuning", help="Chat JSONL, the training split alone.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many recorded examples, the newest.")
@click.option("--min-quality", type=click.FloatRange(0.0, 1.0), default=0.9, show_default=True)
@click.option("--hand-written", type=click.Path(path_type=Path), help="Also these: JSON lines with input, expected.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="A folder; default: lines, printed.")
@click.option("--policy", help="Which policy; needed only where there are several.")
@click.option("--config", type=click.Path(path_type=Path), envvar="EVOGATE_CONFIG", help="The configuration file.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="EVOGATE_HOME",
    default=".evogate",
    show_default=True,
    help="The folder that holds the registry and the recordings.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON; needs --out.")
def main(  # noqa: PLR0917 (click passes options as plain arguments)
    kind: Kind | None,
    limit: int | None,
    min_quality: float,
    hand_written: Path | None,
    out: Path | None,
    policy: str | None,
    config: Path | None,
    home: Path,
    as_json: bool,
) -> None:
    """Export recordings as a golden data set or as fine-tuning JSONL."""
    try:
        if kind is None:
            raise OperatorError("say what to export: --golden or --fine-tuning")
        if as_json and out is None:
            raise OperatorError("--json prints the counts, so the lines need a place of their own: name it with --out")
        made = asyncio.run(_made(home, config, policy, hand_written, limit=limit, min_quality=min_quality))
        _say(made, kind, out, as_json=as_json)
    except EvoGateError as error:
        click.echo(f"evogate export: {error}", err=True)
        sys.exit(2)


def _say(made: Golden, kind: Kind, out: Path | None, *, as_json: bool) -> None:
    if out is None:
        sys.stdout.buffer.writelines(lines(made, kind))
        return
    files = write(made, kind, out)
    if as_json:
        click.echo(orjson.dumps(made.facts(), option=orjson.OPT_INDENT_2))
    else:
        counts = ", ".join(f"{len(items)} {split}" for split, items in made.splits.items())
        click.echo(f"{counts}; {made.duplicates} near-duplicates dropped, {len(made.leaked)} already in a prompt")
        click.echo("\n".join(map(str, files)))


async def _made(
    home: Path, config: Path | None, policy: str | None, hand: Path | None, *, limit: int | None, min_quality: float
) -> Golden:
    """The golden set of one policy.

    Raises:
        OperatorError: the folder, the configuration, the policy or the hand-written set can't be used.
    """
    settings = load(config, os.environ) if config is not None else Settings()
    database = settings.registry.database
    if database is None and not (home / "registry.db").exists():
        raise OperatorError(f"{home}: holds no EvoGate data; start `evogate up`, or name another folder with --home")
    async with open_registry(home, database) as registry:
        name = await _policy(registry, policy)
        known = await _shown(registry, name, settings.policies.get(name))
    written = hand or _golden_file(settings, name)
    items = handwritten(written) if written is not None else []
    recorded, left_out = collect(await _recorded(home, name), min_quality=min_quality)
    return build([*items, *recorded], limit=limit, known=known, left_out=left_out)


def _golden_file(settings: Settings, name: str) -> Path | None:
    policy = settings.policies.get(name)
    return Path(policy.golden_file) if policy is not None and policy.golden_file else None


async def _recorded(home: Path, policy: str) -> list[Example]:
    """Read into a database of its own: the evolver's has one writer, which may be at work."""
    with tempfile.TemporaryDirectory() as scratch:
        async with Store(Path(scratch) / "analysis.db", home / "spool") as store:
            while await store.ingest():
                pass
            return await store.examples(policy, limit=RECORDS)


async def _policy(registry: Registry, wanted: str | None) -> str:
    known = sorted((await registry.state("policies")).get("names", []))
    if wanted is None and len(known) == 1:
        return str(known[0])
    if wanted is None or wanted not in known:
        hint = f"name one with --policy: {', '.join(known)}" if known else "no policy has served yet"
        raise NotFoundError(f"there is no policy '{wanted}'; {hint}" if wanted else hint)
    return wanted


async def _shown(registry: Registry, name: str, policy: Policy | None) -> list[str]:
    """All texts that models are shown: prompts of production and of live candidates, and the memory file's."""
    base, _ = await production_of(registry, name)
    live = await registry.candidates(name, live=True)
    texts: list[str] = []
    for prompt in (base.genome.prompt, *(candidate.genome.prompt for candidate in live)):
        texts += [rule.text for rule in prompt.rubric]
        texts += [text for shot in prompt.few_shots for text in (shot.user, shot.assistant)]
        texts += [prompt.tool_instructions or ""]
    if policy is not None and policy.memory_file:
        texts += _remembered(Path(policy.memory_file))
    return list(dict.fromkeys(text for text in texts if text))


def _remembered(path: Path) -> list[str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OperatorError(f"memory_file {path}: can't be read ({error.strerror})") from error
    return [entry.text for entry in from_lines(data, f"memory_file {path}")]


if __name__ == "__main__":
    main(prog_name="evogate export")
