"""Counting tokens: four characters of input are one; output is split into pieces as it would be streamed."""

import re
from dataclasses import dataclass
from typing import Any

CACHE_BLOCK_TOKENS = 64
_BLOCK = 4 * CACHE_BLOCK_TOKENS
_PIECE = re.compile(r"\s?\w{1,6}|\s?[^\w\s]{1,3}|\s")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request."""

    prompt: int
    cached: int
    completion: int
    reasoning: int

    def to_json(self) -> dict[str, Any]:
        """OpenAI's `usage` object."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


def input_tokens(text: str) -> int:
    """Tokens of a prompt, at least 1."""
    return (len(text) + 3) // 4 or 1


def pieces(text: str) -> list[str]:
    """The tokens of an output; joined, they are the text again."""
    return _PIECE.findall(text)


class PrefixCache:
    """Which prompt prefixes a model has read lately, in whole blocks; the oldest are forgotten."""

    def __init__(self, capacity: int = 16_384) -> None:
        self._capacity = capacity
        self._seen: dict[int, None] = {}

    def read(self, model: str, text: str) -> int:
        """How many of the prompt's tokens were read before; then all of it has been."""
        prefix, cached, hit = hash(model), 0, True
        for start in range(0, len(text) - _BLOCK + 1, _BLOCK):
            prefix = hash((prefix, text[start : start + _BLOCK]))
            hit = hit and prefix in self._seen
            cached += CACHE_BLOCK_TOKENS * hit
            self._seen[prefix] = None
        while len(self._seen) > self._capacity:
            del self._seen[next(iter(self._seen))]
        return cached
