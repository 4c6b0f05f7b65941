"""How hidden rules are said: recognisers (lower-case regular expressions over one sentence) and wordings."""

import re
from dataclasses import dataclass

Patterns = tuple[re.Pattern[str], ...]


def _compiled(*patterns: str) -> Patterns:
    return tuple(re.compile(pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Paraphrases:
    """All about how one rule is put into words."""

    patterns: Patterns
    held_out: Patterns  # recognised in reports only
    against: Patterns
    phrasings: tuple[str, ...]
    held_out_phrasings: tuple[str, ...]
    complaint: str  # how a user corrects an answer that broke it


_NO_EXPLANATION = (
    r"\b(?:no|without|omit|skip|leave out|drop|(?:not|never|n't) (?:add|include|give|write|use)(?: any)?)\b"
    r"[^.,;]{0,25}\b(?:explanations?|explaining|commentary|preambles?|justifications?|extra (?:text|words)|"
    r"full sentences?)\b"
)
_WORDY = (
    r"\b(?:always|please|must|should)\b[^.,;]{0,25}\b(?:explain|justify|elaborate)\b",
    r"\b(?:answer|reply|respond|write)\w*\b[^.,;]{0,15}\bin (?:full|complete) sentences?\b",
    (
        r"\b(?:never|not|n't|avoid)\b[^.,;]{0,30}\b(?:bare|lone|single|just (?:a|the)|only (?:a|the))\b[^.,;]{0,15}"
        r"\b(?:label|letter|category)\b"
    ),
)
_FIRST = _compiled(
    r"\b(?:first|earliest)\b[^.,;]{0,20}\b(?:mentioned|named|raised|issue|topic|problem|concern|complaint|thing|one)\b",
    r"\b(?:mention|raise|name|come|appear|bring|brought|came)\w*\b[^.,;]{0,25}\bfirst\b",
)
_LAST = _compiled(
    r"\b(?:last|latest|final)\b[^.,;]{0,20}\b(?:mentioned|named|raised|issue|topic|problem|concern|complaint|thing|one)\b",
    r"\b(?:mention|raise|name|come|appear|bring|brought|came)\w*\b[^.,;]{0,25}\blast\b",
)
_OPENING = _compiled(r"\bopening (?:issue|topic|concern|complaint)\b", r"\b(?:leads|opens|starts) with\b")
_CLOSING = _compiled(r"\bclosing (?:issue|topic|concern|complaint)\b", r"\b(?:ends|closes|finishes) with\b")
_STEPS = (
    r"\bstep[- ]by[- ]step\b|\bchain[- ]of[- ]thought\b|\beach step\b|\bin steps\b",
    r"\bshow(?:ing)?\b[^.,;]{0,12}\b(?:work|working|workings|reasoning|calculations?|steps)\b",
    r"\bintermediate (?:steps?|results?|calculations?)\b",
    r"\b(?:think|reason|work)(?:ing)?\b[^.,;]{0,30}\b(?:before|through|out loud|carefully)\b",
)

PARAPHRASES: dict[str, Paraphrases] = {
    "bare_label": Paraphrases(
        patterns=_compiled(
            r"\b(?:only|just|nothing but|solely|simply|exactly)\b[^.,;]{0,40}\b(?:label|category|class)\b",
            r"\b(?:label|category|class)\b[^.;]{0,25}\b(?:only|alone|nothing else|by itself|no other (?:text|words))\b",
            r"\b(?:no|not|n't|never|nothing|without)\b[^.;]{0,20}\b(?:but|besides|except|other than|beyond|around)\b"
            r"[^.,;]{0,12}\b(?:label|category)\b",
            _NO_EXPLANATION,
        ),
        held_out=_compiled(
            r"\b(?:bare|naked|lone)\b[^.,;]{0,20}\b(?:label|category|class)\b",
            r"\b(?:entire|whole|complete) (?:answer|reply|response|output)\b[^.;]{0,30}\b(?:label|category)\b",
            r"\b(?:label|category)\b[^.;]{0,40}\b(?:machine|program|parser|verbatim)\b",
        ),
        against=_compiled(*_WORDY),
        phrasings=(
            "When classifying a message, reply with only the lower-case category label.",
            "For classification, output just the label and nothing else.",
            "Classify with exactly one category from the list, without any explanation.",
            "When asked for a category, write nothing but the label itself.",
        ),
        held_out_phrasings=(
            "When you sort a message, the bare category is the answer.",
            "The entire reply to a sorting question is the label.",
        ),
        complaint="No, I meant just the label.",
    ),
    "first_issue": Paraphrases(
        patterns=_FIRST,
        held_out=_OPENING,
        against=_LAST + _CLOSING,
        phrasings=(
            "If a message raises two issues, classify by the first one mentioned.",
            "When a customer names several problems, the category of the first problem counts.",
        ),
        held_out_phrasings=("Sort a message by its opening complaint.",),
        complaint="With two problems, the first one mentioned counts.",
    ),
    "last_issue": Paraphrases(
        patterns=_LAST,
        held_out=_CLOSING,
        against=_FIRST + _OPENING,
        phrasings=(
            "If a message raises two issues, classify by the last one mentioned.",
            "When a customer names several problems, the category of the last problem counts.",
        ),
        held_out_phrasings=("Sort a message by its closing complaint.",),
        complaint="With two problems, the last one mentioned counts.",
    ),
    "iso_dates": Paraphrases(
        patterns=_compiled(
            r"\biso\b[^.;]{0,20}\b(?:dates?|format)\b|\biso[- ]?8601\b",
            r"\bdates?\b[^.;]{0,40}\b(?:iso|year[- ]month[- ]day|year first)\b",
            r"\byyyy-mm-dd\b",
        ),
        held_out=_compiled(
            r"\bdates?\b[^.;]{0,60}\b\d{4}-\d{2}-\d{2}\b",
            r"\bdates?\b[^.;]{0,40}\b(?:sort|sortable|lexicographic\w*|numeric with the year)\b",
        ),
        against=_compiled(
            r"\bdates?\b[^.;]{0,40}\b(?:as written|as they appear|unchanged|in words|spelled out|as given)\b",
            r"\b(?:mm/dd|dd/mm|dd\.mm)\b",
        ),
        phrasings=(
            "Write every date in ISO format, YYYY-MM-DD.",
            "When extracting, convert dates to YYYY-MM-DD.",
            "Dates in extracted data must be ISO 8601.",
        ),
        held_out_phrasings=("Give dates like 2026-01-31, so that they are sortable.",),
        complaint="No, I need the date as YYYY-MM-DD, so {wanted}.",
    ),
    "raw_json": Paraphrases(
        patterns=_compiled(
            r"\b(?:no|without|omit|drop|(?:never|not|n't) (?:use|wrap|add|put))\b[^.;]{0,40}"
            r"\b(?:code (?:fences?|blocks?)|fences?|backticks|markdown)\b",
            r"\b(?:only|just|raw|pure|bare|plain|strictly)\b[^.,;]{0,25}\bjson\b",
            r"\bjson\b[^.;]{0,30}\b(?:only|alone|nothing else)\b",
        ),
        held_out=_compiled(
            r"\bpars\w+\b[^.;]{0,30}\bjson\b|\bjson\b[^.;]{0,40}\bpars\w+\b",
            r"\b(?:begin|start)\w*\b[^.;]{0,30}(?:\{|\bbraces?\b)",
        ),
        against=_compiled(r"\b(?:wrap|put|use|in)\b[^.,;]{0,30}\b(?:code (?:fences?|blocks?)|markdown)\b"),
        phrasings=(
            "For extraction, return only JSON, without code fences.",
            "Extracted data is raw JSON: no markdown around it.",
        ),
        held_out_phrasings=("What you extract is parsed as JSON: begin with the opening brace.",),
        complaint="No, only the JSON, without code fences.",
    ),
    "reason": Paraphrases(
        patterns=_compiled(*_STEPS),
        held_out=_compiled(
            r"\bone operation at a time\b|\bline by line\b",
            r"\b(?:derive|break)\b[^.;]{0,30}\b(?:down|parts|pieces|stages|result)\b",
        ),
        against=_compiled(
            r"\b(?:answer|reply|respond)\b[^.,;]{0,15}\b(?:immediately|at once|straight away|right away)\b",
            r"\bonly the (?:number|result|final number)\b",
        ),
        phrasings=(
            "For calculations, work step by step before giving the number.",
            "When a problem needs arithmetic, show your working.",
            "Write down the intermediate results of every calculation.",
        ),
        held_out_phrasings=("Break a sum down into parts and do one operation at a time.",),
        complaint="That is not right, please calculate it step by step.",
    ),
    "final_answer": Paraphrases(
        patterns=_compiled(
            r"\b(?:last|final) (?:line|sentence)\b",
            r"\b(?:end|finish|conclude|close)\w*\b[^.;]{0,30}\b(?:result|answer|number|total)\b",
        ),
        held_out=_compiled(r"\b(?:number|result|answer)\b[^.;]{0,20}\b(?:at the (?:very )?end|comes last)\b"),
        against=_compiled(r"\b(?:begin|start|open)\w*\b[^.;]{0,20}\bwith the (?:result|answer|number)\b"),
        phrasings=(
            "Finish every calculation with the result as a number on the last line.",
            "End an arithmetic answer with the final number.",
        ),
        held_out_phrasings=("In sums, the number comes last.",),
        complaint="Please end with the final number.",
    ),
    "all_arguments": Paraphrases(
        patterns=_compiled(
            r"\b(?:all|every|each|complete|no missing|full)\b[^.,;]{0,30}\b(?:arguments?|parameters?)\b",
            r"\b(?:arguments?|parameters?)\b[^.;]{0,30}\b(?:all|every|complete|missing|filled|provided)\b",
            r"\b(?:never|not|n't)\b[^.,;]{0,15}\b(?:omit|skip|leave out|leave|drop|forget)\b[^.;]{0,30}"
            r"\b(?:arguments?|parameters?)\b",
        ),
        held_out=_compiled(
            r"\bcomplete (?:tool|function) calls?\b",
            r"\b(?:tool|function)\b[^.;]{0,40}"
            r"\b(?:everything (?:it|they) (?:asks?|needs?)|nothing (?:missing|blank))\b",
        ),
        against=_compiled(r"\b(?:omit|skip|leave out)\b[^.,;]{0,20}\b(?:optional|unneeded|some) (?:arguments?|param)"),
        phrasings=(
            "When you call a tool, fill in every argument.",
            "Tool calls must contain all parameters that the request mentions.",
            "Never omit an argument of a function call.",
        ),
        held_out_phrasings=("Only complete tool calls count: hand the function everything it asks for.",),
        complaint="No, call the tool with all arguments.",
    ),
    "call_tool": Paraphrases(
        patterns=_compiled(
            r"\b(?:always|must|directly|immediately|only|just)\b[^.,;]{0,30}\b(?:call|calling|use|invoke)\b[^.,;]{0,25}"
            r"\b(?:tools?|functions?)\b",
            r"\b(?:call|use|invoke)\b[^.,;]{0,20}\b(?:tools?|functions?)\b[^.;]{0,40}"
            r"\b(?:instead|rather|directly|immediately|whenever|without asking)\b",
            r"\b(?:not|n't|never|without)\b[^.,;]{0,15}\bask\w*\b[^.;]{0,30}\b(?:confirm\w*|permission|first|back)\b",
        ),
        held_out=_compiled(r"\bact\b[^.;]{0,25}\b(?:at once|right away|instead of talking)\b"),
        against=_compiled(
            r"\b(?:ask|wait)\b[^.,;]{0,15}\bfor (?:confirmation|permission)\b",
            r"\b(?:never|not|n't|avoid)\b[^.,;]{0,15}\b(?:call|calling|use|using|invoke)\b[^.,;]{0,15}\b(?:tools?|functions?)\b",
        ),
        phrasings=(
            "If a tool fits the request, always call the tool directly instead of describing it.",
            "Use the tools immediately, without asking for confirmation.",
        ),
        held_out_phrasings=("When something can be done for the user, act right away.",),
        complaint="Just call the tool, don't ask for confirmation.",
    ),
    "ground": Paraphrases(
        patterns=_compiled(
            r"\b(?:use|using|rely|base|draw|stick|consult|look|check|take|trust|answer\w*|according)\b[^.;]{0,40}"
            r"\b(?:reference|context|material|facts|notes|documents?|provided|given information)\b",
            r"\b(?:reference|material|context|facts|notes)\b[^.;]{0,40}\b(?:answer|rely|use|base)\w*\b[^.;]{0,20}"
            r"\b(?:it|them|alone|only|that)\b",
        ),
        held_out=_compiled(
            r"\b(?:reference|context|material|facts|notes)\b[^.;]{0,30}"
            r"\b(?:over|before|precedence|outranks?|authoritative|decides?)\b",
            r"\b(?:not|never|n't)\b[^.,;]{0,10}\b(?:guess|invent|make up)\b",
        ),
        against=_compiled(r"\bignore\b[^.;]{0,25}\b(?:reference|context|material|facts|notes)\b"),
        phrasings=(
            "Answer product questions from the reference material given, not from general knowledge.",
            "Base your answer on the provided facts.",
            "Check the reference notes before you answer a question about a product.",
        ),
        held_out_phrasings=("Never guess a product's data: the notes are authoritative.",),
        complaint="No, please use the reference material.",
    ),
    "bare_letter": Paraphrases(
        patterns=_compiled(
            r"\b(?:only|just|nothing but|solely|simply|exactly|single|one)\b[^.,;]{0,30}\bletters?\b",
            r"\bletters?\b[^.;]{0,25}\b(?:only|alone|nothing else|by itself|no other)\b",
            _NO_EXPLANATION,
        ),
        held_out=_compiled(
            r"\ba, b, c,? or d\b|\ba-d\b|\ba/b/c/d\b",
            r"\b(?:entire|whole|complete) (?:answer|reply|response)\b[^.;]{0,30}\bletter\b",
        ),
        against=_compiled(*_WORDY),
        phrasings=(
            "For multiple choice, answer with the single letter only.",
            "When options A to D are given, reply with just the letter.",
            "Multiple-choice answers are one letter, without any explanation.",
        ),
        held_out_phrasings=("To a quiz question, your answer is A, B, C or D.",),
        complaint="No, just the letter please.",
    ),
}

TRAITS: dict[str, Patterns] = {
    "hedge": _compiled(
        r"\b(?:discuss|present|weigh|compare|mention)\b[^.,;]{0,30}\b(?:two|both|several|alternativ\w+)\b",
        r"\b(?:never|not|n't|avoid)\b[^.,;]{0,15}\bcommit\w*\b",
    ),
    "brief": _compiled(
        r"\b(?:leave out|skip|omit)\b[^.;]{0,15}\bintroductions?\b",
        r"\b(?:brief|briefly|brevity|concise|concisely|short|terse|succinct\w*)\b",
    ),
    "thorough": _compiled(r"\b(?:thorough\w*|detailed|in depth|at length|elaborate|comprehensive\w*)\b"),
    # A form asked for without saying where: it is then given to every answer.
    "json": _compiled(
        r"^(?!.*\b(?:when|if|for|where|extract\w*|asked)\b).*\b(?:answer|reply|respond|format)\b[^.;]{0,25}\bjson\b"
    ),
    "markdown": _compiled(r"\b(?:format|answer|reply|write|use)\b[^.;]{0,25}\bmarkdown\b"),
    # Reasoning asked for without saying where: it is then done, and paid for, everywhere.
    "everywhere": _compiled(
        r"^(?!.*\b(?:calculat\w+|arithmetic\w*|math\w*|numbers?|numeric\w*|sums?|word problems?|comput\w+|"
        r"several (?:steps|quantities)|multi-?step)\b)"
        r".*(?:" + "|".join(_STEPS) + ")",
    ),
}
