"""What no evolved text may hold: overrides, tool grants, links, secrets, personal data, templates, hidden characters.

Candidates are bred from recorded traffic, so their text may carry what some user wrote. The lint is conservative and
lexical; it stands in front of the scope gate and of every write to memory, and answers in sentences. It reads a text in
every way that it may be meant (see `policies.disguise` and `policies.encodings`).
"""

import re
from collections.abc import Iterator

from policies.disguise import alike, clear, spelled_out, unmarked
from policies.encodings import decodings, readings, unwrapped
from policies.genome import Genome

HIDDEN = 8  # letters in an encoding, from which words are hidden in it

SECRET = re.compile(
    r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}"  # OpenAI and alike
    r"|\b[spr]k_(?:live|test)_[A-Za-z0-9]{16,}"  # Stripe
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # AWS
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}"
    r"|\bAIza[0-9A-Za-z_-]{35}|\bxox[abprs]-[0-9A-Za-z-]{10,}"  # Google, Slack
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"  # JSON web tokens
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_OVERRIDE = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,40}"
    r"\b(?:previous|prior|earlier|above|preceding|system|all|any|other|your)\b[^.\n]{0,30}"
    r"\b(?:instructions?|prompts?|rules?|messages?|guidelines?|policy|policies)\b"
    r"|\byou are no longer\b|\bdeveloper mode\b|\bjailbreak\w*"
    r"|\b(?:reveal|print|repeat|output)\b[^.\n]{0,30}\bsystem (?:prompt|message)\b"
    r"|\b(?:remove|delete|drop|lift|suspend)\b[^.\n]{0,30}\b(?:protected|safety|security)\b[^.\n]{0,20}"
    r"\b(?:rules?|limits?|restrictions?|checks?)\b",
    re.IGNORECASE,
)
_GRANT = re.compile(
    r"\b(?:grant|give|allow|authori[sz]e|permit|enable|unlock)\w*\b[^.\n]{0,40}"
    r"\b(?:tools?|functions?|commands?|shell|plugins?|permissions?)\b"
    r"|\b(?:may|can|should|must|always|free to)\b[^.\n]{0,20}\b(?:call|use|run|execute|invoke)\b[^.\n]{0,12}"
    r"\b(?:any|every|all)\b[^.\n]{0,20}\b(?:tools?|functions?|commands?|code)\b"
    r"|\b(?:run|execute)\b[^.\n]{0,20}\b(?:shell|arbitrary)\b",
    re.IGNORECASE,
)
_DEMAND = re.compile(
    r"\b(?:add|adopt|write|append|include|put|new|following)\b[^.\n]{0,40}\b(?:rules?|rubric|instructions?|prompts?|patch\w*)\b"
    r"|\b(?:rules?|rubric|prompt) (?:is|should|must|says?)\b|\bfollowed this rule\b"
    r"|\bfrom now on\b|\ball future users\b|\byou must always\b|^\W*(?:system|rule|correction|important)\b",
    re.IGNORECASE,
)
_URL = re.compile(r"\b(?:https?|ftp|wss?|file)://|\bwww\.\w|\bdata:\w+/\w+;|\bjavascript:", re.IGNORECASE)
_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_PHONE = re.compile(
    r"(?<![\w.])(?:\+\d{1,3}[ .-]?(?:\(?\d{1,4}\)?[ .-]?){2,5}\d{2,}|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4})(?!\w)"
)
_TEMPLATE = re.compile(r"\{\{|\$\{\w|\{[A-Za-z_]\w*\}|<%|%\}")
# Control characters, and the invisible ones that hide or reorder text.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (_OVERRIDE, "tells the model to set other instructions aside"),
    (_GRANT, "grants the use of tools"),
    (_URL, "holds a link"),
    (SECRET, "holds what looks like a secret key"),
    (_EMAIL, "holds an e-mail address"),
    (_PHONE, "holds a telephone number"),
    (_TEMPLATE, "holds an unfilled template placeholder"),
    (_INVISIBLE, "holds control or invisible characters"),
)
# The same for texts of which `alike` has made l and i one letter.
_ALIKE = {rule: re.compile(rule.pattern.replace("l", "i")) for rule in (_OVERRIDE, _GRANT, _DEMAND, _URL)}


def lint_text(text: str) -> list[str]:
    """What is wrong with one text, as predicates ("holds a link"); empty: nothing found."""
    straight = [shown for decoded in decodings(text) for shown in (decoded, unmarked(decoded))]
    worded = [alike(clear(reading)) for reading in readings(text)]
    faults = [
        fault
        for rule, fault in _RULES
        if any(map(rule.search, straight)) or (rule in _ALIKE and any(map(_ALIKE[rule].search, worded)))
    ]
    if unwrapped(text)[1] >= HIDDEN:
        faults.append("hides words in an encoding")
    if spelled_out(text):
        faults.append("spells words out letter by letter")
    return faults


def demands(text: str) -> bool:
    """Would this sentence have itself made a rule? For recorded text: an honest rule may well sound like that."""
    return any(clearly_demands(clear(reading)) for reading in readings(text))


def clearly_demands(sentence: str) -> bool:
    """The same of a sentence that `policies.disguise.clear` has made."""
    worded = alike(sentence)
    return any(_ALIKE[rule].search(worded) for rule in (_OVERRIDE, _GRANT, _DEMAND))


def instructs(text: str) -> str | None:
    """What in a text would turn a model, hides in it or is a key, as a predicate; None: nothing found.

    The least that holds for an operator's own material, too, which may mean its links and addresses.
    """
    least = (rule for rule in _RULES if rule[0] in {_OVERRIDE, SECRET, _INVISIBLE})
    return next((fault for pattern, fault in least if pattern.search(text)), None)


def lint(genome: Genome) -> list[str]:
    """What is wrong with a genome's texts, one sentence each; empty: nothing found."""
    return [f"{where} {fault}." for where, text in _texts(genome) for fault in lint_text(text)]


def _texts(genome: Genome) -> Iterator[tuple[str, str]]:
    prompt = genome.prompt
    for rule in prompt.rubric:
        yield f"Rule '{rule.id}'", rule.text
    for number, shot in enumerate(prompt.few_shots, start=1):
        yield f"The user's text of few-shot {number}", shot.user
        yield f"The answer of few-shot {number}", shot.assistant
    if prompt.tool_instructions is not None:
        yield "The text of tool_instructions", prompt.tool_instructions
