"""What a bad example shows, as names from a fixed vocabulary: templates answer to these, never to recorded words."""

import re
import statistics
from collections.abc import Sequence

from evolver.examples import BAD_SCORE, Example
from evolver.proposals.recorded import words

LABEL_WORDS = 3  # a correction that short is a label
WORDY_FACTOR = 3.0  # an answer this many times as long as good ones (or as the correction) is wordy
WORDY_LEAST = 12  # words

_WORDS = {
    "reference": "cite cited citation source sources reference references quote according evidence",
    "wordy": "short shorter brief briefly concise long lengthy verbose only just",
    "label": "label labels category categories class option options",
    "numeric": "number total sum calculate calculation arithmetic wrong miscounted digits",
    "language": "english french german spanish italian portuguese dutch language translate",
    "cold": "rude unfriendly cold harsh curt impolite",
    "casual": "casual unprofessional informal sloppy slang",
    "thin": "detail details explain elaborate incomplete",
    "markup": "markdown bold bullet bullets asterisks heading headings",
}
_VOCABULARY = {name: frozenset(line.split()) for name, line in _WORDS.items()}
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*")
_ISO_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")


def signals(example: Example, usual_words: float) -> frozenset[str]:
    """Names of what is wrong or may be: the failure class, signals of the user, the answer's form.

    Args:
        example: A bad one.
        usual_words: Median length of good answers of the same topic; 0 where unknown.
    """
    found = {example.failure} if example.failed and example.failure else set()
    answer, correction = example.answer_text.strip(), (example.correction or "").strip()
    found |= _form(answer, example.body)
    found |= _against(answer, correction) if correction else set()
    if _wordy(answer, correction, usual_words):
        found.add("wordy")
    if example.corrected or example.retried or (example.score is not None and example.score < BAD_SCORE):
        found.add("missed")
    if len(_NUMBER.findall(example.request_text)) >= 2 and not example.body.get("response_format"):
        found.add("numbers_given")
    said = set(words(correction)) | set(words(example.detail))
    return frozenset(found | {name for name, vocabulary in _VOCABULARY.items() if said & vocabulary})


def usual_length(good: Sequence[Example]) -> float:
    """Median words of good answers; 0 where there are none."""
    return float(statistics.median(len(words(example.answer_text)) for example in good)) if good else 0.0


def _form(answer: str, body: dict[str, object]) -> set[str]:
    found = {"fenced"} if answer.startswith("```") else set()
    wants_json = "response_format" in body or "json" in str(body.get("messages", ""))[-4000:].casefold()
    if wants_json and answer and not answer.startswith(("{", "[")):
        found.add("prose_json")
    return found | ({"tools"} if body.get("tools") else set())


def _against(answer: str, correction: str) -> set[str]:
    found = set()
    if correction != answer and correction.casefold() == answer.casefold():
        found.add("case")
    if _ISO_DATE.search(correction) and not _ISO_DATE.search(answer):
        found.add("date")
    if _NUMBER.fullmatch(correction):
        found.add("numeric")
    elif len(words(correction)) <= LABEL_WORDS:
        found.add("label")
    return found


def _wordy(answer: str, correction: str, usual_words: float) -> bool:
    length = len(words(answer))
    wanted = max(usual_words, len(words(correction)) if correction else 0.0)
    return length >= WORDY_LEAST and wanted > 0 and length > WORDY_FACTOR * wanted
