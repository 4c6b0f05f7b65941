"""Changes that may cost less and answer sooner at equal quality: proposed in every cycle, whatever else is found.

That a cheaper model would have sufficed can only be found where one has been tried. So one is tried, in the shadow and
before the judge, as long as nobody has shown that it will not do.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from config.upstreams import Model
from evolver.examples import Example
from evolver.proposals.strategy import current_key, neighbours
from evolver.proposals.templates import WORKED_RESULT
from evolver.proposals.values import Edit, Idea, SetGene, Together
from evolver.search.genes import BY_NAME
from policies.genome import Genome
from policies.strategy.router import AUTO

OPERATOR = "thrift:"  # how the operators of these proposals begin
REACH = 0.5  # nothing failed that they could mend


def savings(production: Genome, examples: Sequence[Example], models: Mapping[str, Model]) -> list[Idea]:
    """The next cheaper model, one call instead of several, the cheaper model first, and fewer words."""
    served = Counter(example.model for example in examples).most_common(1)
    cheaper, _ = neighbours(current_key(production, served[0][0] if served else "", models), models)
    ideas = [*_one_call(production)]
    if cheaper is not None:
        why = f"{cheaper} is the next cheaper model; the shadow will tell whether it serves."
        ideas += [_idea("model", SetGene("model_key", cheaper), why, 0.4), *_cascade(production, cheaper)]
    return [*ideas, *_fewer_words(production)]


def _one_call(production: Genome) -> Iterator[Idea]:
    """Without what asks several times."""
    genes = production.strategy
    if genes.use_consensus:
        yield _idea("one_voice", SetGene("use_consensus", value=False), "One answer costs less than a vote.", 0.4)
    if genes.cascade_model is not None:
        alone = Together((SetGene("model_key", genes.cascade_model), SetGene("cascade_model", None)))
        yield _idea("alone", alone, f"{genes.cascade_model} may do without a second opinion.", 0.35)


def _cascade(production: Genome, cheaper: str) -> Iterator[Idea]:
    """The cheaper model first; where that is so already, less asked of it before its answer goes out."""
    genes = production.strategy
    if genes.cascade_model is not None:
        lower = BY_NAME["cascade_threshold"].step(genes.cascade_threshold, -0.1)
        yield _idea("trust", SetGene("cascade_threshold", lower), "Fewer requests escalate.", 0.3)
    elif genes.model_key != AUTO:
        why = f"{cheaper} answers first; what is not trusted goes to the present model."
        yield _idea("cascade", SetGene("cascade_model", cheaper), why, 0.3)


def _fewer_words(production: Genome) -> Iterator[Idea]:
    """Brevity, and reasoning only where a rule asks for it."""
    brief, prompt = SetGene("verbosity", "brief"), production.prompt
    if prompt.verbosity != "brief":
        yield _idea("brief", brief, "Shorter answers cost less.", 0.2)
    if prompt.cot:
        why = "Reasoning about every request is paid for with every request; a rule asks for it where it helps."
        fewer = (SetGene("cot", value=False), WORKED_RESULT)
        yield _idea("silent", Together((*fewer, brief) if prompt.verbosity == "thorough" else fewer), why, 0.35)


def _idea(name: str, edit: Edit, why: str, promise: float) -> Idea:
    return Idea(edit, f"{OPERATOR}{name}", why, REACH, promise)
