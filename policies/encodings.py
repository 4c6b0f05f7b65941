"""Text as data: what an encoding hides from a reader of words.

1. `decodings` undo base64, base32, hex, percent-encoding, character references and escapes, one upon the other.
2. `readings` add rot13 and text written backwards, which nobody can tell from what they hide.

Quotations are looked for between all readings of a proposal and all decodings of what is recorded: turning one side is
enough.
"""

import base64
import binascii
import codecs
import html
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote_to_bytes

from policies.disguise import unseen

DEPTH = 3  # encodings one upon the other that are seen through
LEAST = 3  # characters that an encoded word hides, from which it is worth decoding; one where it is padded
SURE = 8  # characters from which a decoded text may hold any signs
WORDY = 0.6  # least share of letters and spaces in it
MOST = 12  # decodings of one text that are looked at
LONGEST = 20_000  # characters of an encoded word: a picture is no text

_POINTS = frozenset(" .,;:!?'\"-()[]{}<>/")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_REFERENCE = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\})")
_HEX = re.compile(r"\b(?:0x)?[0-9a-fA-F]{2}(?:[ :,-]{0,2}(?:0x)?[0-9a-fA-F]{2}){3,}\b")
# Ordinary words and numbers are no candidates unless they are padded: they are too many to try.
_BASE = re.compile(
    r"(?<![\w+/-])(?!(?:[A-Za-z]?[a-z]+|\d+)(?![\w+/=-]))"
    rf"(?:[\w+/-]{{4,{LONGEST}}}(?:={{1,6}}|(?![\w+/=-]))|[\w+/-]{{2,3}}={{1,2}})",
    re.ASCII,
)
_LONG = re.compile(r"[\w+/%]{20}", re.ASCII)  # what is encoded, and then turned; the words of a language are shorter
_FOLD = re.compile(r"(?<=[\w+/]{60})\r?\n(?=[\w+/])", re.ASCII)  # within what mail programs broke into lines


def decodings(text: str) -> list[str]:
    """The text, and what it says when what is encoded in it is decoded, at most `DEPTH` times."""
    found, new = [text], [text]
    for _ in range(DEPTH):
        if len(found) > MOST:
            break
        deeper = (unwrapped(turned)[0] for one in new for turned in (_turns(one) if _LONG.search(one) else (one,)))
        new = [one for one in dict.fromkeys(deeper) if not any(one in _turns(known) for known in found)]
        found += new
    return found[:MOST]


def readings(text: str) -> Iterator[str]:
    """Every text that it may be read as, itself first."""
    yield from dict.fromkeys(turned for one in decodings(text) for turned in _turns(one))


def _turns(text: str) -> tuple[str, ...]:
    turned = codecs.encode(text, "rot13")
    return text, turned, text[::-1], turned[::-1]


def unwrapped(text: str) -> tuple[str, int]:
    """The text with what is encoded in it decoded once, and how many letters had been hidden."""
    hidden = 0
    text = _FOLD.sub("", text)
    for pattern, decode in _CODES:

        def decoded(found: re.Match[str], decode: Callable[[re.Match[str]], str] = decode) -> str:
            nonlocal hidden
            plain = decode(found)
            hidden += sum(map(str.isalpha, plain)) if plain != found[0] else 0
            return plain

        text = pattern.sub(decoded, text)
    return text, hidden


def _from_escape(found: re.Match[str]) -> str:
    number = int(found[1] or found[2] or found[3], 16)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else found[0]


def _from_hex(found: re.Match[str]) -> str:
    return _readable(bytes.fromhex(re.sub(r"0x|[^0-9a-fA-F]", "", found[0])), LEAST) or found[0]


def _from_base(found: re.Match[str]) -> str:
    """base64 in either alphabet, padded or not, or base32."""
    word = found[0].rstrip("=")
    least = LEAST if word == found[0] else 1
    texts = (_decoded(decode, word, of, least) for decode, of in _BASES)
    return next(filter(None, texts), found[0])


def _decoded(decode: Callable[[str], bytes], word: str, of: int, least: int) -> str:
    try:
        return _readable(decode(word + "=" * (-len(word) % of)), least)
    except (binascii.Error, ValueError):
        return ""


def _readable(data: bytes, least: int) -> str:
    """The bytes as text of so many characters, if that is what they are; else nothing."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    if len(text) < least or not _shown(text):
        return ""
    if len(text) < SURE:
        return text if all(char.isalnum() or char in _POINTS or unseen(char) for char in text) else ""
    return text if sum(char.isalpha() or char.isspace() for char in text) >= WORDY * len(text) else ""


def _shown(text: str) -> bool:
    return all(char.isprintable() or char.isspace() or unseen(char) for char in text)


def _from_percent(found: re.Match[str]) -> str:
    try:
        text = unquote_to_bytes(found[0]).decode()
    except UnicodeDecodeError:
        return found[0]
    return text if _shown(text) else found[0]


_BASES: tuple[tuple[Callable[[str], bytes], int], ...] = (
    (lambda word: base64.b64decode(word.replace("-", "+").replace("_", "/")), 4),
    (base64.b32decode, 8),
)
_CODES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_ESCAPE, _from_escape),
    (_REFERENCE, lambda found: html.unescape(found[0])),
    (_PERCENT, _from_percent),
    (_HEX, _from_hex),
    (_BASE, _from_base),
)
