"""The scope check: a candidate touches its own layer, within bounds, and brings no foreign text into a prompt."""

from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from evolver.proposals.recorded import Recorded
from evolver.search.operators import MAX_RULES, PROTECTED
from policies.genome import Genome, LayerName
from policies.lint import lint


def scope_check(
    base: Genome, candidate: Genome, layer: LayerName, *, recorded_texts: Sequence[str] | Recorded = ()
) -> list[str]:
    """What is wrong with `candidate` as a change of `layer` in `base`, one sentence each; empty: nothing.

    Only what the candidate adds is held against it: an operator's own rules may hold links or stand in recordings.
    """
    recorded = recorded_texts if isinstance(recorded_texts, Recorded) else Recorded(recorded_texts)
    return [
        *_layers(base, candidate, layer),
        *_bounds(candidate),
        *_protected(base, candidate),
        *(problem for problem in lint(candidate) if problem not in set(lint(base))),
        *_quotations(base, candidate, recorded),
    ]


def _layers(base: Genome, candidate: Genome, layer: LayerName) -> Iterator[str]:
    changed = candidate.changed_layers(base)
    for other in changed:
        if other != layer:
            yield f"It changes the {other} layer, and is a candidate for the {layer} layer."
    if not changed:
        yield "It changes nothing."


def _bounds(candidate: Genome) -> Iterator[str]:
    try:
        Genome.model_validate(candidate.model_dump())
    except ValidationError as error:
        for fault in error.errors():
            yield f"{'.'.join(map(str, fault['loc']))} is out of bounds: {fault['msg']}."


def _protected(base: Genome, candidate: Genome) -> Iterator[str]:
    now = {rule.id: rule.text for rule in candidate.prompt.rubric}
    for rule in base.prompt.rubric:
        if rule.id.startswith(PROTECTED) and now.get(rule.id) != rule.text:
            yield f"It removes or rewrites the protected rule '{rule.id}'."
    grown = len(candidate.prompt.rubric) > len(base.prompt.rubric)
    if grown and len(candidate.prompt.rubric) > MAX_RULES:
        yield f"It has {len(candidate.prompt.rubric)} rules; more than {MAX_RULES} dilute one another."


def _quotations(base: Genome, candidate: Genome, recorded: Recorded) -> Iterator[str]:
    known = set(_texts(base))
    for text in _texts(candidate):
        if text not in known and (quotation := recorded.quoted(text)) is not None:
            yield f"It quotes recorded text: '{quotation[:80]}'."


def _texts(genome: Genome) -> Iterator[str]:
    prompt = genome.prompt
    yield from (rule.text for rule in prompt.rubric)
    for shot in prompt.few_shots:
        yield from (shot.user, shot.assistant)
    if prompt.tool_instructions:
        yield prompt.tool_instructions
