"""Redaction: what matches a configured pattern never reaches the disk.

1. Only string and number literals change, each into another literal: what was valid JSON stays valid JSON, and every
   other byte stays as it was.
2. A placeholder names the type of what it stands for and a keyed hash of it: the same value gives the same one, so
   that records remain comparable, and nobody without the key can test guesses.
3. Patterns see text as a reader would, with JSON's escapes resolved. They don't look into placeholders.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from functools import partial
from typing import Final

from policies.errors import OperatorError

# Strings (escapes as units) and numbers of RFC 8259. The loop is unrolled: no backtracking into a long text.
_LITERAL: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*', re.DOTALL)
_PLACEHOLDER: Final = re.compile(r"(\[redacted:\w+:[0-9a-f]{12}\])")
_KEY_BYTES: Final = 64  # the most that BLAKE2b takes


class Redactor:
    """Replaces what the patterns match by `[redacted:<type>:<hash>]`.

    The type is the name of the first named group that matched, and then that group alone is replaced
    (`password=(?P<password>\\S+)`); without one the whole match is, and the type is `p1` for the first pattern.

    Args:
        patterns: regular expressions over decoded text, in order.
        key: secret of the keyed hash.

    Raises:
        OperatorError: a pattern does not compile.
    """

    def __init__(self, patterns: Sequence[str], key: bytes) -> None:
        self._patterns = [_compile(number, pattern) for number, pattern in enumerate(patterns, 1)]
        self._key = key[:_KEY_BYTES]

    @property
    def active(self) -> bool:
        """Whether any pattern is configured."""
        return bool(self._patterns)

    def __call__(self, data: bytes) -> bytes:
        """`data`, which is JSON, without what must not be kept; the same object where no pattern is configured."""
        return _LITERAL.sub(self._literal, data) if self._patterns else data

    def text(self, text: str) -> str:
        """Plain text, redacted."""
        for number, pattern in enumerate(self._patterns, 1):
            parts = _PLACEHOLDER.split(text)
            parts[::2] = [pattern.sub(partial(self._replace, f"p{number}"), part) for part in parts[::2]]
            text = "".join(parts)
        return text

    def _literal(self, match: re.Match[bytes]) -> bytes:
        text = _decoded(match[0])
        redacted = self.text(text)
        return match[0] if redacted == text else json.dumps(redacted).encode()

    def _replace(self, unnamed: str, match: re.Match[str]) -> str:
        named = next((name for name, value in match.groupdict().items() if value), None)
        start, end = match.span(named or 0)
        if start == end:
            return match[0]
        value = match.string[start:end].encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(value, key=self._key, digest_size=6).hexdigest()
        before, after = match.string[match.start() : start], match.string[end : match.end()]
        return f"{before}[redacted:{named or unnamed}:{digest}]{after}"


def _decoded(literal: bytes) -> str:
    text = literal.decode()
    if "\\" in text:
        return str(json.loads(text))
    return text.strip('"')


def _compile(number: int, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise OperatorError(f"recording.redact: pattern {number} ({pattern!r}) does not compile: {error}") from error
