"""Labelled pairs: what people say about whether one answer could replace another. The judge is held against them.

JSON lines, each {"id": ..., "body": {chat request}, "production": "text", "candidate": "text", "label": 0..1},
the label being what the judge's score should have been: 1 where the candidate's answer could replace production's.
"""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from evolver.store.reads import Texts
from policies.errors import OperatorError


@dataclass(frozen=True, slots=True)
class Labels:
    """A file's pairs in its order, with their labels; `digest` tells one state of the file from another."""

    digest: str
    pairs: tuple[tuple[Texts, float], ...]


def read_labels(path: Path) -> Labels:
    """Read the whole file.

    Raises:
        OperatorError: it can't be read, or a line is no labelled pair; the message names it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OperatorError(f"evolver.judge.labels: {path} can't be read ({error})") from error
    lines = [(number, line) for number, line in enumerate(data.splitlines(), start=1) if line.strip()]
    pairs = tuple(_pair(path, number, line) for number, line in lines)
    return Labels(blake2b(data, digest_size=8).hexdigest(), pairs)


def _pair(path: Path, number: int, line: bytes) -> tuple[Texts, float]:
    where = f"{path}, line {number}"
    try:
        row: Any = orjson.loads(line)
        label = row["label"]
        texts = [row[name] for name in ("production", "candidate")]
        body = row["body"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise OperatorError(f"{where}: no labelled pair ({error!r}); see evolver/judge/labels.py") from error
    if isinstance(label, bool) or not isinstance(label, int | float) or not 0.0 <= label <= 1.0:
        raise OperatorError(f"{where}: 'label' must be a number from 0 to 1")
    if not isinstance(body, dict) or not all(isinstance(text, str) for text in texts):
        raise OperatorError(f"{where}: 'body' must be a chat request, 'production' and 'candidate' texts")
    production, candidate = ({"text": text} for text in texts)
    return Texts(number, str(row.get("id", number)), body, production, candidate), float(label)
