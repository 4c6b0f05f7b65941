"""Recorded text is data: what of it may not stand verbatim in a prompt, and how to tell.

A proposal may learn from recordings but not quote them: eight words in a row that a user, a tool or an answer wrote
are a quotation (or somebody's instruction on its way into the prompt). Of sentences that would have themselves made a
rule four words in a row are enough. Comparison sees letters only, and sees through disguises and encodings:
case, punctuation, invisible characters and look-alikes make no difference.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from evolver.examples import Example
from policies.dialects import spoken
from policies.disguise import alike, clear
from policies.encodings import decodings, readings
from policies.lint import clearly_demands

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
    """Recorded texts, made comparable once, to hold many proposals against.

    Compared are letters, without the spaces between words: each decoding of them with each reading of a proposal.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        clean = list(dict.fromkeys(clear(decoded) for text in dict.fromkeys(texts) for decoded in decodings(text)))
        spelt = [_WORD.findall(text) for text in clean]
        letters = dict.fromkeys(_letters(own) for own in spelt)
        self._letters = "\n".join(letters)
        self._short = {_letters(own): " ".join(own) for own in spelt if SHORTEST <= len(own) < NGRAM}
        sentences = (one for text in clean for one in _SENTENCE_END.split(text) if clearly_demands(one))
        self._demanded = {_letters(gram) for one in sentences for gram in _grams(_WORD.findall(one), ECHO)}

    def quoted(self, text: str) -> str | None:
        """The first quotation in `text`, normalised, or None."""
        return next(filter(None, map(self._quoted, readings(text))), None)

    def _quoted(self, reading: str) -> str | None:
        own = _WORD.findall(clear(reading))
        for gram in _grams(own, ECHO):
            if _letters(gram) in self._demanded:
                return " ".join(gram)
        for gram in _grams(own, NGRAM):
            if _letters(gram) in self._letters:
                return " ".join(gram)
        whole = _letters(own)
        return next((said for short, said in self._short.items() if short in whole), None)


def _letters(own: Sequence[str]) -> str:
    return alike("".join(own).replace("_", ""))


def _grams(own: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (own[start : start + size] for start in range(len(own) - size + 1))


def words(text: str) -> list[str]:
    """Lower-case words in compatibility form, without invisible characters."""
    shown = (char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    return _WORD.findall("".join(shown).casefold())
