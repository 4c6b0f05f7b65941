"""`evogate explain`: everything that is known of one request, and why."""

import difflib
import hashlib
from pathlib import Path
from typing import Any

import click
import orjson

from config.settings import Settings
from gateway.cli.common import config_option, existing, home_option, json_option, print_json, with_registry
from gateway.cli.measured import measured
from gateway.cli.offline import compiled, memory_of, pretty, settings_in_force
from gateway.recording.lookup import find
from policies.errors import ClientError, NotFoundError, OperatorError
from policies.genome import Genome
from policies.memory import Entry
from policies.registry.port import Registry

WHY = {
    "draw": "drawn by the odds below",
    "pin": "its conversation already had this arm",
    "middle": "met in the middle of a conversation: production, and no evidence",
    "only": "the only arm there was",
    "frozen": "new conversations are not randomised while nothing can be recorded or the provider is down",
    "fell_open": "a fault inside: production instead",
}
_NO_SCORES = frozenset({"kind", "calls", "embedding_usd"})


@click.command()
@click.argument("request_id")
@config_option
@home_option
@json_option
def explain(request_id: str, config: Path | None, home: Path, as_json: bool) -> None:
    """Why REQUEST_ID got its arm, what was changed about it, and what came of it."""
    recorded = find(existing(home) / "spool", request_id)
    if recorded is None or recorded["assignment"] is None:
        raise NotFoundError(f"no request {request_id} is on record; its id is the answer's x-evogate-request-id")
    assignment = recorded["assignment"]
    comparison = with_registry(home, lambda registry: _comparison(registry, assignment))
    change = _change(assignment, settings_in_force(home, config), home)
    facts = {**recorded, "change": change, "comparison": comparison}
    if as_json:
        print_json(facts)
    else:
        _print(facts)


def _change(assignment: dict[str, Any], settings: Settings, home: Path) -> dict[str, Any]:
    """The difference between what the client sent and what went up, rendered again and checked by its digest."""
    body = assignment["body"]
    if body is None:
        return {"note": "bodies were not recorded for this request", "diff": []}
    recalled = [name for name, score in assignment.get("memory", ()) if score >= 0.0]  # the others were held out
    try:
        genome, memory = with_registry(home, lambda registry: _genome(registry, assignment))
        rendered = compiled(settings, assignment["policy"], genome, memory).render(body, recalled=recalled)
    except (OperatorError, ClientError) as error:
        return {"note": f"can't be rendered again: {error}", "diff": []}
    same = hashlib.blake2b(rendered, digest_size=8).hexdigest() == assignment["rendered"]
    note = "byte for byte what went up" if same else "rendered by the present configuration, which differs from then"
    diff = list(difflib.unified_diff(pretty(body), pretty(orjson.loads(rendered)), "client", "upstream", lineterm=""))
    return {"note": note, "exact": same, "diff": diff}


async def _genome(registry: Registry, assignment: dict[str, Any]) -> tuple[Genome, list[Entry]]:
    """The genome of that content hash, among versions and candidates, with its memory."""
    policy, digest = assignment["policy"], assignment["arm"]
    known = [v.genome for v in await registry.versions(policy)] + [c.genome for c in await registry.candidates(policy)]
    for genome in known:
        if genome.content_hash == digest:
            return genome, await memory_of(registry, policy, genome)
    raise NotFoundError(f"the genome {digest} that served this request is not in the registry of this folder")


async def _comparison(registry: Registry, assignment: dict[str, Any]) -> dict[str, Any]:
    """What the experiment that the request took part in has measured, and its verdict; empty where there was none."""
    known = await registry.experiments(assignment["policy"])
    experiment = next((one for one in known if one.id == assignment["experiment"]), None)
    if experiment is None:
        return {}
    candidates = await registry.candidates(assignment["policy"])
    candidate = next((one for one in candidates if one.id == experiment.candidate), None)
    running = candidate.stations.get("promotion", {}) if candidate is not None else {}
    return {"verdict": experiment.verdict or "running", "evidence": experiment.evidence or running}


def _print(facts: dict[str, Any]) -> None:
    assignment, outcome = facts["assignment"], facts["outcome"]
    click.echo(f"request     {facts['id']}  (policy {assignment['policy']}, turn {assignment['turn']})")
    click.echo(f"arm         {assignment['arm'][:12]}  {assignment['role']}, production was {assignment['version']}")
    click.echo(f"why         {WHY.get(assignment['why'], assignment['why'])}")
    odds = ", ".join(f"{arm[:12]} {propensity:.4f}" for arm, propensity in assignment["arms"])
    click.echo(f"odds        {odds}")
    experiment = assignment["experiment"]
    counted = " (this request is its evidence)" if assignment["first"] else ""
    click.echo(f"experiment  {experiment}{counted}" if experiment else "experiment  none")
    if facts["comparison"]:
        click.echo(f"comparison  {facts['comparison']['verdict']}")
        for line in measured(facts["comparison"]["evidence"]):
            click.echo(f"            {line}")
    for key, terms in (assignment.get("routing") or {"terms": {}})["terms"].items():
        named = zip(("similarity", "capability", "rating", "cost", "latency", "score"), terms, strict=True)
        chosen = " (chosen)" if key == assignment["routing"]["key"] else ""
        click.echo(f"routing     {key}{chosen}: {', '.join(f'{name} {value:.3f}' for name, value in named)}")
    click.echo(f"change      {facts['change']['note']}")
    for line in facts["change"]["diff"]:
        click.echo(f"            {line}")
    _print_outcome(outcome)
    for signal in facts["signals"]:
        click.echo(f"signal      {signal['kind']}: {orjson.dumps(signal['data']).decode()[:400]}")


def _print_outcome(outcome: dict[str, Any] | None) -> None:
    if outcome is None:
        click.echo("outcome     none yet")
        return
    failure = f"{outcome['failure']} ({outcome['detail']})" if outcome["failure"] else "no failure"
    click.echo(f"outcome     {outcome['status']}, {failure}, model {outcome['model'] or 'unknown'}")
    click.echo(
        f"took        {outcome['first_byte_ms']:.1f} ms to the first byte, {outcome['last_byte_ms']:.1f} ms in all"
    )
    tokens = f"{outcome['input_tokens']} in ({outcome['cached_tokens']} cached), {outcome['output_tokens']} out"
    click.echo(f"tokens      {tokens}, ${outcome['cost_usd']:.6f}")
    if outcome.get("embedding_usd"):
        click.echo(f"embedding   ${outcome['embedding_usd']:.6f} of it, to search the memory by meaning")
    strategy = outcome.get("strategy")
    if strategy is not None:
        scores = "".join(f", {name} {value:.2f}" for name, value in strategy.items() if name not in _NO_SCORES)
        click.echo(f"strategy    {strategy['kind']}{scores}")
        for call in strategy["calls"]:
            click.echo(f"            {_call(call)}")
    checks = ", ".join(f"{name} {score:.2f}" for name, score in outcome["validators"].items()) or "none ran"
    click.echo(f"reward      {outcome['reward']}  (validators: {checks}; repairs {outcome['repairs']})")


def _call(call: dict[str, Any]) -> str:
    """One of several calls, in a line."""
    notes = [call["failure"]] if "failure" in call else [] if call["valid"] else ["not valid"]
    notes += ["chosen"] if call["chosen"] else []
    said = f"  ({', '.join(notes)})" if notes else ""
    return f"{call['role']:<9} {call['model'] or 'as asked'}, {call['ms']:.1f} ms, ${call['cost_usd']:.6f}{said}"
