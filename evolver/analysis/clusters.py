"""Requests grouped by what they are about: TF-IDF, a low-rank projection, KMeans with k by silhouette.

Groups are formed from the requests alone, never from how they were answered. That is what makes the tests on
the groups' failure rates valid: under the null, outcomes are exchangeable between groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

SAMPLE = 2_000  # texts that a model of the groups is fitted to
SILHOUETTE_SAMPLE = 500  # silhouettes are quadratic in time
MAX_GROUPS = 8
MIN_SILHOUETTE = 0.10  # below this there is one group: text without structure scores 0.02-0.06
TEXT_CHARS = 1_000  # what a text is about shows early; bounds the time for pasted documents
TERMS = 8
_WORDS = r"(?u)\b[^\W\d_][\w-]{2,29}\b"


@dataclass(frozen=True, slots=True)
class Group:
    """Indices into the clustered texts (nearest to the centre first) and the terms that set the group apart."""

    members: tuple[int, ...]
    terms: tuple[str, ...]


def cluster(texts: Sequence[str], *, rng: np.random.Generator, max_groups: int = MAX_GROUPS) -> list[Group]:
    """Partition `texts` into at most `max_groups` groups, the largest first. Time is linear beyond 2,000 texts."""
    short = [text[:TEXT_CHARS] for text in texts]
    sample = np.sort(rng.permutation(len(short))[:SAMPLE])
    weights, words = _weigh(short, sample)
    if weights is None:
        return [Group(tuple(range(len(texts))), ())] if texts else []
    with threadpool_limits(limits=1):
        points = _project(weights, sample, _seed(rng))
        labels, centres = _partition(points, points[sample], max_groups, rng)
    groups = []
    for label, centre in enumerate(centres):
        members = np.nonzero(labels == label)[0]
        if len(members):
            nearest = members[np.argsort(-(points[members] @ centre), kind="stable")]
            groups.append(Group(tuple(int(i) for i in nearest), _terms(weights, members, words)))
    return sorted(groups, key=lambda group: (-len(group.members), group.terms))


def _weigh(texts: Sequence[str], sample: NDArray[np.int64]) -> tuple[Any, NDArray[Any]]:
    vectorizer = TfidfVectorizer(
        token_pattern=_WORDS, stop_words=sorted(ENGLISH_STOP_WORDS), max_features=4_000, sublinear_tf=True
    )
    try:
        vectorizer.fit([texts[i] for i in sample])
    except ValueError:  # no words at all: digits, another script without spaces, empty texts
        return None, np.array([])
    return vectorizer.transform(texts), vectorizer.get_feature_names_out()


def _project(weights: Any, sample: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    rank = min(24, weights.shape[1] - 1, len(sample) - 1)
    if rank < 2:
        return np.asarray(weights.toarray(), dtype=np.float64)
    svd = TruncatedSVD(n_components=rank, n_iter=3, random_state=seed).fit(weights[sample])
    return np.asarray(normalize(svd.transform(weights)), dtype=np.float64)


def _partition(
    points: NDArray[np.float64], fit_to: NDArray[np.float64], max_groups: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    distinct = len(np.unique(fit_to.round(9), axis=0))
    shown = fit_to[rng.permutation(len(fit_to))[:SILHOUETTE_SAMPLE]]
    best, model = MIN_SILHOUETTE, None
    for k in range(2, min(max_groups, distinct - 1) + 1):
        fitted = KMeans(k, n_init=2, max_iter=50, random_state=_seed(rng)).fit(fit_to)
        labels = fitted.predict(shown)
        score = silhouette_score(shown, labels) if 1 < len(set(labels)) < len(shown) else 0.0
        if score > best:
            best, model = score, fitted
    if model is None:
        return np.zeros(len(points), dtype=np.int64), points.mean(axis=0, keepdims=True)
    return model.predict(points), model.cluster_centers_


def _terms(weights: Any, members: NDArray[np.int64], words: NDArray[Any]) -> tuple[str, ...]:
    """Words that weigh more inside the group than overall; those of the whole where the group is the whole."""
    inside = np.asarray(weights[members].mean(axis=0)).ravel()
    overall = np.asarray(weights.mean(axis=0)).ravel()
    lift = inside if len(members) == weights.shape[0] else inside - overall
    return tuple(str(words[i]) for i in np.argsort(-lift, kind="stable")[:TERMS] if lift[i] > 0)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31 - 1))
