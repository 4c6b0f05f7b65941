"""Embeddings as vectors of length 1, so that a product is a cosine; and how a model is asked for them.

Source: OpenAI, "API reference: create embeddings".
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from policies.arrays import np

PATH = "/v1/embeddings"
MOST_CHARS = 8_000  # of one text: a model reads no more than some thousand tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]  # of length 1
    Matrix = NDArray[np.float32]  # (texts, dimensions), each row of length 1
else:
    Vector = Matrix = Any  # numpy's types are named, and not loaded

_DUST = 1e-6  # of single precision


def unit_rows(rows: Sequence[Sequence[float]]) -> Matrix:
    """Vectors as an embedding model gives them, brought to length 1.

    Raises:
        ValueError: they differ in length, or one is no direction: empty, all zeros or not finite.
    """
    matrix = np.asarray(rows, dtype=np.float64)
    lengths = np.sqrt((matrix * matrix).sum(axis=1)) if matrix.ndim == 2 else np.zeros(1)
    if not np.isfinite(lengths).all() or not (lengths > 0.0).all():
        raise ValueError("embeddings must be vectors of one length with finite numbers, not all of them 0")
    return np.asarray(matrix / lengths[:, None], dtype=np.float32)


def alike(one: Vector | None, other: Vector | None, least: float) -> bool:
    """Whether two are at least so near (a cosine); one that is missing, or another model's, is near none."""
    if one is None or other is None or one.shape != other.shape:
        return False
    return float(one @ other) >= least - _DUST


def asked(model: str, texts: Sequence[str], dimensions: int | None) -> bytes:
    """The request for the embeddings of texts. An empty text, which no provider takes, is asked for as a blank.

    Args:
        model: as the provider calls it.
        texts: one or more.
        dimensions: how many; None: as many as it gives.
    """
    body = {"model": model, "input": [text[:MOST_CHARS] or " " for text in texts], "encoding_format": "float"}
    return orjson.dumps(body if dimensions is None else {**body, "dimensions": dimensions})


def read(body: Any, count: int) -> tuple[Matrix, int]:
    """(embeddings in the order asked for, tokens that they cost) in the JSON of an answer.

    Raises:
        ValueError: it is no answer to a request for `count` texts.
    """
    try:
        rows = {row["index"]: row["embedding"] for row in body["data"]}
        tokens = int((body.get("usage") or {}).get("prompt_tokens") or 0)
        return unit_rows([rows[place] for place in range(count)]), tokens
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no list of {count} embeddings: {error!r}") from error
