"""A golden set as files or lines: golden data for this loop, or chat JSONL as fine-tuning services read it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import orjson

from evolver.golden.values import SPLITS, Golden, Item, Split
from policies.errors import OperatorError

Kind = Literal["golden", "fine-tuning"]
TUNED: tuple[Split, ...] = ("train", "validation")  # what a model may be tuned with


def lines(golden: Golden, kind: Kind) -> Iterator[bytes]:
    """One JSON object a line; for fine-tuning the training split alone."""
    if kind == "fine-tuning":
        yield from (_dump(chat(item)) for item in golden.splits["train"])
    else:
        yield from (_dump(item.to_json(split)) for split in SPLITS for item in golden.splits[split])


def write(golden: Golden, kind: Kind, folder: Path) -> list[Path]:
    """One file a split and `manifest.json`; for fine-tuning only the two splits that a model may be tuned with.

    Raises:
        OperatorError: the folder can't be written.
    """
    found: dict[str, bytes] = {}
    for split in TUNED if kind == "fine-tuning" else SPLITS:
        items = golden.splits[split]
        rows = (chat(item) if kind == "fine-tuning" else item.to_json(split) for item in items)
        found[f"{split}.jsonl"] = b"".join(map(_dump, rows))
    found["manifest.json"] = orjson.dumps({"kind": kind, **golden.facts()}, option=orjson.OPT_INDENT_2)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in found.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise OperatorError(f"{folder}: can't be written ({error.strerror}); name another folder with --out") from error
    return [folder / name for name in found]


def chat(item: Item) -> dict[str, Any]:
    """The form of OpenAI's fine-tuning API: the request's messages and the right answer."""
    return {"messages": [*item.messages, {"role": "assistant", "content": item.expected}]}


def _dump(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value) + b"\n"
