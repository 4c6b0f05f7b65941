"""Which ideas first: expected reduction of failures, clarity, length and severity; and which say the same."""

import math
import re
from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from evolver.proposals.values import Idea

SAME = 0.8  # cosine from which two texts are taken to say the same
PLEASANT_WORDS = 30  # a rule up to this length costs nothing
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_VAGUE = re.compile(r"\b(?:maybe|perhaps|possibly|try to|as appropriate|etc|somehow|might)\b", re.IGNORECASE)


def score(idea: Idea, severity: float) -> tuple[float, dict[str, float]]:
    """The rank of an idea (larger first, 0..1) and what it is made of."""
    parts = {
        "reduction": idea.reach * idea.promise,
        "severity": severity,
        "clarity": clarity(idea.edit.text),
        "brevity": brevity(idea.edit.text),
    }
    rank = parts["reduction"] * (0.5 + 0.5 * severity) * parts["clarity"] * parts["brevity"]
    return rank, parts


def clarity(text: str) -> float:
    """1 for text that commits itself in sentences of readable length (and for edits without text), down to 0.3."""
    if not text:
        return 1.0
    sentences = max(1, len(_SENTENCE_END.findall(text)))
    per_sentence = len(text.split()) / sentences
    return max(0.3, 1.0 - 0.2 * len(_VAGUE.findall(text)) - 0.01 * max(0.0, per_sentence - PLEASANT_WORDS))


def brevity(text: str) -> float:
    """1 up to 30 words, then falling: every word dilutes the others."""
    return min(1.0, math.sqrt(PLEASANT_WORDS / max(1, len(text.split()))))


def distinct(texts: Sequence[str], known: Sequence[str] = ()) -> list[bool]:
    """For each text: does it say something that neither `known` nor an earlier kept one says? Empty texts do."""
    corpus = [*known, *texts]
    if not any(corpus):
        return [True] * len(texts)
    try:
        rows = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(corpus)
    except ValueError:  # no words at all
        return [True] * len(texts)
    similarity = np.asarray((rows @ rows.T).toarray())
    kept = list(range(len(known)))
    verdicts = []
    for row in range(len(known), len(corpus)):
        new = not corpus[row] or all(similarity[row, other] < SAME for other in kept)
        verdicts.append(bool(new))
        kept += [row] if new else []
    return verdicts
