"""Hand-written golden sets: JSON lines, checked whole, every error with its line and what would be right.

A line is `{"input": "…" or [messages], "expected": "…"}`, with `id`, `conversation`, `quality` and `anchor` if wanted.
"""

import hashlib
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationError

from evolver.examples import Example
from evolver.golden.build import build
from evolver.golden.values import SPLITS, Item
from policies.errors import OperatorError

MOST_BYTES = 64 << 20
SHOWN = 20  # errors told at once
_REMEDIES = {
    "expected": "write the right answer as a string",
    "input": 'write the question as a string, or as messages such as [{"role": "user", "content": "…"}]',
    "quality": "write a number from 0 to 1, or leave it out",
    "anchor": "write true or false, or leave it out",
    "id": "write a string, or leave it out",
    "conversation": "write a string, or leave it out",
}


class _Message(BaseModel):
    model_config = ConfigDict(extra="allow")
    role: StrictStr
    content: StrictStr | list[dict[str, Any]] | None = None


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")
    input: StrictStr | list[_Message] = Field(min_length=1)
    expected: StrictStr = Field(min_length=1)
    id: StrictStr | None = None
    conversation: StrictStr | None = None
    quality: StrictFloat | StrictInt = Field(default=1.0, ge=0, le=1)
    anchor: StrictBool = False


def handwritten(path: Path) -> list[Item]:
    """The items of a file.

    Raises:
        OperatorError: it can't be read, or lines of it are wrong: one sentence each (the first 20), with the line.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise OperatorError(f"{path}: larger than {MOST_BYTES >> 20} MiB; split it")
        data = path.read_bytes()
    except OSError as error:
        raise OperatorError(f"{path}: can't be read ({error.strerror}); name a file of JSON lines") from error
    items: list[Item] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(data.splitlines(), start=1):
        if line.strip():
            found = _item(line)
            if isinstance(found, Item) and found.id in seen:
                found = f"id: '{found.id}' is that of line {seen[found.id]}; give each line an id of its own"
            if isinstance(found, str):
                problems.append(f"{path}:{number}: {found}")
            else:
                seen[found.id] = number
                items.append(found)
    if problems:
        more = [f"… and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise OperatorError("\n".join(problems[:SHOWN] + more))
    return items


def anchors(path: Path, policy: str) -> list[Example]:
    """The anchors of a hand-written set as examples that the regression gate can replay.

    Raises:
        OperatorError: as `handwritten`.
    """
    return [_example(item, policy) for item in handwritten(path) if item.anchor]


def sealed(path: Path) -> list[str]:
    """Questions and answers of a hand-written set that no proposal may quote: all but what may train.

    Raises:
        OperatorError: as `handwritten`.
    """
    splits = build(handwritten(path)).splits
    return [text for split in SPLITS[1:] for item in splits[split] for text in (item.question, item.expected)]


def _item(line: bytes) -> Item | str:
    """The item, or the first thing that is wrong with it."""
    try:
        parsed = _Line.model_validate(orjson.loads(line))
    except orjson.JSONDecodeError as error:
        return f"not JSON ({error}); write one JSON object a line"
    except ValidationError as error:
        return _problem(error)
    digest = hashlib.blake2b(line, digest_size=8).hexdigest()
    messages = (
        ({"role": "user", "content": parsed.input},)
        if isinstance(parsed.input, str)
        else tuple(message.model_dump(exclude_none=True) for message in parsed.input)
    )
    name = parsed.id or f"hand-{digest}"
    conversation = parsed.conversation or name
    return Item(name, conversation, 0.0, messages, parsed.expected, float(parsed.quality), "hand", parsed.anchor)


def _problem(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    field = str(fault["loc"][0]) if fault["loc"] else ""
    if not field:
        return 'not a JSON object; write {"input": "…", "expected": "…"}'
    if fault["type"] == "extra_forbidden":
        return f"{field}: no such field; known: {', '.join(_Line.model_fields)}"
    given = "" if fault["type"] == "missing" else f", is {_kind(fault['input'])}"
    said = "is missing" if fault["type"] == "missing" else str(fault["msg"]).lower()
    return f"{field}: {said}{given}; {_REMEDIES[field]}"


def _kind(value: Any) -> str:
    names = {str: "text", int: "a number", float: "a number", bool: "true or false", list: "a list", dict: "an object"}
    return names.get(type(value), "null")


def _example(item: Item, policy: str) -> Example:
    """What users would have said of it: the correction is the right answer."""
    return Example(
        id=item.id,
        at=item.at,
        policy=policy,
        unit=item.conversation,
        turn=1,
        arm="",
        version="",
        intent="",
        model="",
        stream=False,
        body={"messages": [dict(message) for message in item.messages]},
        answer=None,
        correction=item.expected,
    )
