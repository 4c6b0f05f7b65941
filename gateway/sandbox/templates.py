"""Sentences with blanks that can be written and read back.

The sandbox has no model, so whatever it is to understand must have been written from a template that it knows.
"""

import re
from collections.abc import Mapping

_BLANK = re.compile(r"\{(\w+)\}")
NUMBER = r"\d+"
AMOUNT = r"\d+(?:\.\d+)?"
WORDS = r"[^\W\d_][\w' -]*?"


class Template:
    """A sentence with `{named}` blanks; `blanks` maps each name to the pattern of what may stand there."""

    def __init__(self, text: str, blanks: Mapping[str, str]) -> None:
        self.text = text
        self._pattern = re.compile(_pattern(text, blanks))

    def fill(self, values: Mapping[str, object]) -> str:
        """The sentence with its blanks filled; a missing value raises KeyError."""
        return _BLANK.sub(lambda blank: str(values[blank[1]]), self.text)

    def read_all(self, text: str) -> list[dict[str, str]]:
        """The blanks of every occurrence in `text`, in order."""
        return [found.groupdict() for found in self._pattern.finditer(text)]

    def read(self, text: str) -> dict[str, str] | None:
        """The blanks of the last occurrence, or None where the sentence does not occur."""
        found = self.read_all(text)
        return found[-1] if found else None


def _pattern(text: str, blanks: Mapping[str, str]) -> str:
    pieces, seen, end = [], set[str](), 0
    for blank in _BLANK.finditer(text):
        name = blank[1]
        pieces.append(re.escape(text[end : blank.start()]))
        pieces.append(f"(?P={name})" if name in seen else f"(?P<{name}>{blanks[name]})")
        seen.add(name)
        end = blank.end()
    return "".join(pieces) + re.escape(text[end:])
