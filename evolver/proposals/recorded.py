"""Recorded text is data: what of it may not stand verbatim in a prompt, and how to tell.

A proposal may learn from recordings but not quote them: eight words in a row that a user, a tool or an answer wrote
are a quotation (or somebody's instruction on its way into the prompt). Of sentences that would have themselves made a
rule four words in a row are enough. Comparison sees words only: case, punctuation, compatibility forms and invisible
characters make no difference.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from evolver.examples import Example
from policies.dialects import spoken
from policies.lint import demands

NGRAM = 8  # words in a row
ECHO = 4  # words in a row of a sentence that demands to be a rule
SHORTEST = 5  # a whole recorded text of so many words or more is a quotation too
_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


def recorded_texts(examples: Iterable[Example]) -> list[str]:
    """Everything in examples that proposals may not quote: messages but system text, answers, corrections."""
    return list(dict.fromkeys(text for example in examples for text in _of(example) if text))


def _of(example: Example) -> Iterator[str]:
    yield from (text for _, text in spoken(example.body))
    yield from (example.answer_text, example.correction or "")


class Recorded:
    """Recorded texts, normalised once, to hold many proposals against."""

    def __init__(self, texts: Sequence[str]) -> None:
        normal = dict.fromkeys(" ".join(words(text)) for text in texts)
        self._padded = [f" {text} " for text in normal]
        self._demanded = {
            gram for text in texts for one in _SENTENCE_END.split(visible(text)) if demands(one) for gram in _grams(one)
        }
        self._short = [text for text in self._padded if SHORTEST <= text.count(" ") - 1 < NGRAM]

    def quoted(self, text: str) -> str | None:
        """The first quotation in `text`, normalised, or None."""
        own = words(text)
        padded = f" {' '.join(own)} "
        for gram in _grams(text):
            if gram in self._demanded:
                return gram
        for short in self._short:
            if short in padded:
                return short.strip()
        for start in range(len(own) - NGRAM + 1):
            gram = f" {' '.join(own[start : start + NGRAM])} "
            if any(gram in recorded for recorded in self._padded):
                return gram.strip()
        return None


def words(text: str) -> list[str]:
    """Lower-case words in compatibility form, without invisible characters."""
    return _WORD.findall(visible(text).casefold())


def visible(text: str) -> str:
    """Compatibility form, without invisible characters."""
    return "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")


def _grams(text: str) -> Iterator[str]:
    own = words(text)
    return (" ".join(own[start : start + ECHO]) for start in range(len(own) - ECHO + 1))
