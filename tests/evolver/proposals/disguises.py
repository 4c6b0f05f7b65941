"""Ways to write a text so that a lint of words does not know it again, and a model may."""

import base64
import codecs
from collections.abc import Callable
from urllib.parse import quote

_LATIN = "aceijopsxyABCEHKMOPTX"
_HOMOGLYPHS = str.maketrans(_LATIN, "асеіјорѕхуАВСЕНКМОРТХ")  # noqa: RUF001
_LEET = str.maketrans("aeiostlAEIOSTL", "43105714310571")
_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _rot13(text: str) -> str:
    return codecs.encode(text, "rot13")


DISGUISES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in capitals": str.upper,
    "full width": lambda text: text.translate(_WIDE),
    "zero width": "\u200b".join,
    "soft hyphens": "\u00ad".join,
    "blank letters": "\u3164".join,
    "accents": lambda text: "".join(f"{char}\u0301" if char.isalpha() else char for char in text),
    "homoglyphs": lambda text: text.translate(_HOMOGLYPHS),
    "leetspeak": lambda text: text.translate(_LEET),
    "spaced": lambda text: "   ".join(" ".join(word) for word in text.split()),
    "dotted": lambda text: " / ".join(".".join(word) for word in text.split()),
    "evenly spaced": lambda text: " ".join("".join(text.split())),
    "backwards": lambda text: text[::-1],
    "rot13": _rot13,
    "base64": _base64,
    "base64 in lines": lambda text: base64.encodebytes(text.encode()).decode(),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 of each word": lambda text: " ".join(map(_base64, text.split())),
    "base64 twice": lambda text: _base64(_base64(text)),
    "base64 of rot13": lambda text: _base64(_rot13(text)),
    "rot13 of base64": lambda text: _rot13(_base64(text)),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "hex in pairs": lambda text: text.encode().hex(" ").upper(),
    "percent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "percent of spaces": quote,
    "references": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "escapes": lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
}
ENCODED = frozenset(name for name in DISGUISES if name.startswith(("base", "hex")) or name in {"percent", "references"})
