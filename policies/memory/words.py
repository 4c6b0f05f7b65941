"""Words, as retrieval sees them."""

import re

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Runs of letters and digits, without case, in order."""
    return _WORD.findall(text.casefold())
