"""Patches without a model: a table from what bad examples show to what usually mends it.

The texts are constants. Recordings choose among them and never write them, so nothing recorded can reach a prompt here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from evolver.examples import Example
from evolver.proposals.signals import signals, usual_length
from evolver.proposals.values import AddRule, Edit, Idea, SetGene

LEAST_REACH = 0.1  # of a finding's failures, for a template to be considered


@dataclass(frozen=True, slots=True)
class Template:
    """An edit for examples that show any of `when` and, where given, all of `also`."""

    name: str
    edit: Edit
    explanation: str
    when: frozenset[str]
    also: frozenset[str] = frozenset()
    promise: float = 0.4  # how often it mends what it speaks to; a prior

    def speaks_to(self, shown: frozenset[str]) -> bool:
        """Does it answer what this example shows?"""
        return bool(self.when & shown) and self.also <= shown


def _when(*names: str) -> frozenset[str]:
    return frozenset(names)


WORKED_RESULT = AddRule(
    "For a question that takes several steps, work through them in order, check the result against the question, and "
    "end with the final result on a line of its own."
)
TEMPLATES: tuple[Template, ...] = (
    Template(
        "json_only",
        AddRule(
            "When JSON is asked for, answer with one JSON value that parses as it stands: no code fences, and no text "
            "before or after it."
        ),
        "Answers that should have been JSON were not, or were wrapped in something else.",
        _when("fenced", "prose_json"),
        promise=0.6,
    ),
    Template(
        "json_fields",
        AddRule(
            "Include every field that the requested schema names, with exactly the names and types it gives, and no "
            "others; use null where the input does not say."
        ),
        "Answers failed the schema that the request asked for.",
        _when("invalid_output"),
        promise=0.5,
    ),
    Template(
        "json_format",
        SetGene("format", "json"),
        "The format gene asks for JSON in every answer.",
        _when("prose_json"),
        promise=0.3,
    ),
    Template(
        "tool_arguments",
        SetGene(
            "tool_instructions",
            "Call a tool only with arguments that fit its parameter schema: every required parameter, the declared "
            "types, and values taken exactly from the request.",
        ),
        "Tool calls had arguments that the tool does not take.",
        _when("invalid_tool_call"),
        promise=0.6,
    ),
    Template(
        "tool_choice",
        AddRule(
            "Use the tool that fits the request instead of answering from memory, and ask for a required value that "
            "is missing rather than inventing it."
        ),
        "Requests that came with tools went wrong.",
        _when("invalid_tool_call", "missed", "judged_bad"),
        also=_when("tools"),
    ),
    Template(
        "label_only",
        AddRule(
            "When the task is to choose a label or category, answer with that label alone, spelled exactly as it was "
            "offered, without punctuation or explanation."
        ),
        "Corrections are bare labels where the answers said more, or something else.",
        _when("label"),
        promise=0.6,
    ),
    Template(
        "to_the_point",
        AddRule("Answer exactly what was asked and stop; leave out introductions, restatements and summaries."),
        "Answers were several times as long as good ones.",
        _when("wordy", "cut_short", "too_slow", "too_dear"),
    ),
    Template(
        "brief",
        SetGene("verbosity", "brief"),
        "Shorter answers are faster, cheaper and less often cut.",
        _when("wordy", "cut_short", "too_slow", "too_dear"),
    ),
    Template(
        "step_by_step",
        SetGene("cot", value=True),
        "Questions with several quantities profit from reasoning before the answer.",
        _when("numeric", "missed", "judged_bad"),
        also=_when("numbers_given"),
        promise=0.6,
    ),
    Template(
        "worked_result",
        WORKED_RESULT,
        "Results of multi-step questions were wrong.",
        _when("numeric", "missed", "judged_bad"),
        also=_when("numbers_given"),
        promise=0.5,
    ),
    Template(
        "plain_number",
        AddRule("Give a numeric result as plain digits, without units or thousands separators unless asked for them."),
        "Corrections are bare numbers.",
        _when("numeric"),
    ),
    Template(
        "reference",
        AddRule(
            "When reference material is given, answer from it alone and cite the entry that the answer rests on; say "
            "so where it does not hold the answer."
        ),
        "Complaints ask for sources or for what the reference says.",
        _when("reference"),
        promise=0.5,
    ),
    Template(
        "iso_dates",
        AddRule("Write every date as YYYY-MM-DD."),
        "Corrections write dates in ISO form where the answers did not.",
        _when("date"),
        promise=0.6,
    ),
    Template(
        "exact_case",
        AddRule("Keep the spelling and letter case of names, labels and codes exactly as they were given."),
        "Corrections differ from the answers in letter case only.",
        _when("case"),
        promise=0.6,
    ),
    Template(
        "no_markup",
        SetGene("format", "plain"),
        "Complaints are about markup in the answers.",
        _when("markup"),
        promise=0.5,
    ),
    Template("friendly", SetGene("tone", "friendly"), "Complaints are about a cold tone.", _when("cold"), promise=0.5),
    Template(
        "formal", SetGene("tone", "formal"), "Complaints are about a careless tone.", _when("casual"), promise=0.5
    ),
    Template("fuller", SetGene("verbosity", "balanced"), "Complaints ask for more than was said.", _when("thin")),
    Template(
        "language",
        AddRule("Answer in the language in which the request is written, unless it asks for another."),
        "Complaints are about the language of the answers.",
        _when("language"),
    ),
    Template(
        "no_refusal",
        AddRule(
            "Help with ordinary requests of this application directly; decline only what would do harm, and then say "
            "what you can do instead."
        ),
        "Requests like others that were answered well were refused.",
        _when("refusal"),
    ),
    Template(
        "reread",
        AddRule(
            "Before answering, reread the request and make sure that every requirement in it is met: content, format, "
            "length and language."
        ),
        "Users corrected, repeated or rejected these answers.",
        _when("missed", "judged_bad", "invalid_output"),
        promise=0.2,
    ),
)


def template_ideas(bad: Sequence[Example], good: Sequence[Example]) -> list[Idea]:
    """Ideas from the table, with the share of the bad examples that each speaks to."""
    usual = usual_length(good)
    shown = [signals(example, usual) for example in bad]
    ideas = []
    for template in TEMPLATES:
        reach = sum(template.speaks_to(one) for one in shown) / max(len(shown), 1)
        if reach >= LEAST_REACH:
            name = f"template:{template.name}"
            ideas.append(Idea(template.edit, name, template.explanation, reach, template.promise))
    return ideas
