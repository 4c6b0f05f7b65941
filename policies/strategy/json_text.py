"""The JSON value that a text means, where it is nearly JSON: in one pass, in time linear in its length.

What models get wrong: words or a code fence around it, a comma too many or too few, single quotes, bare keys, Python's
literals, line breaks within strings, escapes that JSON does not know, an end that is missing. A quotation mark that is
not escaped within a string is beyond it.
"""

import json
import re
from typing import Any

LIMIT = 65_536  # characters; about 10 ms
_DEPTH = 128

_TOKEN = re.compile(
    r"""\s*(?: (?P<mark>[{}\[\],:])
             | "(?P<double>(?:[^"\\]|\\.)*)(?:"|\\?\Z)
             | '(?P<single>(?:[^'\\]|\\.)*)(?:'|\\?\Z)
             | (?P<bare>[^\s{}\[\],:"']+) )""",
    re.VERBOSE | re.DOTALL,
)
_START = re.compile(r"[{\[]")
_ESCAPE = re.compile(r'\\(u[0-9a-fA-F]{4}|["\'\\/bfnrt]|)|"')
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?\Z")
_LITERALS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None, "NaN": None}
_CLOSES = {"}": dict, "]": list}


class _Builder:
    """Containers that are open, the innermost last; a key waits for its value."""

    def __init__(self) -> None:
        self.root: Any = None
        self._open: list[Any] = []
        self._keys: list[str | None] = []

    @property
    def depth(self) -> int:
        return len(self._open)

    def put(self, value: Any) -> None:
        if not self._open:
            self.root = value
        elif type(self._open[-1]) is list:
            self._open[-1].append(value)
        elif (key := self._keys[-1]) is None:
            self._keys[-1] = value if type(value) is str else json.dumps(value)
        else:
            self._open[-1][key] = value
            self._keys[-1] = None

    def enter(self, container: Any) -> None:
        self.put(container)
        self._open.append(container)
        self._keys.append(None)

    def leave(self, kind: type) -> None:
        """Close up to the innermost container of that kind; a mark that closes nothing is skipped."""
        if any(type(container) is kind for container in self._open):
            while True:
                self._keys.pop()
                if type(self._open.pop()) is kind:
                    return

    def comma(self) -> None:
        self._keys[-1] = None


def value_in(text: str) -> Any:
    """The first JSON object or array that the text holds, completed where it breaks off; None where there is none."""
    start = _START.search(text)
    if start is None or len(text) > LIMIT:
        return None
    builder = _Builder()
    for token in _TOKEN.finditer(text, start.start()):
        _take(builder, token)
        if not builder.depth:
            break
        if builder.depth > _DEPTH:
            return None
    return builder.root


def _take(builder: _Builder, token: re.Match[str]) -> None:
    mark, bare = token["mark"], token["bare"]
    if mark == "{":
        builder.enter({})
    elif mark == "[":
        builder.enter([])
    elif mark == ",":
        builder.comma()
    elif mark in _CLOSES:
        builder.leave(_CLOSES[mark])
    elif bare is not None:
        builder.put(_bare(bare))
    elif mark is None:
        builder.put(_string(token["double"] if token["double"] is not None else token["single"]))


def _bare(word: str) -> Any:
    if word in _LITERALS:
        return _LITERALS[word]
    return json.loads(word) if _NUMBER.match(word) else word


def _string(inner: str) -> str:
    text: str = json.loads(f'"{_ESCAPE.sub(_escaped, inner)}"', strict=False)
    return text


def _escaped(found: re.Match[str]) -> str:
    """Escapes that JSON knows stay; a backslash that begins none stands for itself."""
    if found[0] == '"':
        return '\\"'
    if found[1] == "'":
        return "'"
    return found[0] if found[1] else "\\\\"
