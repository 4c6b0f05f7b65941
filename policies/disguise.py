"""Letters in disguise: what foreign letters, hidden characters or odd spelling keep from a reader of words.

Nothing here decides. `policies.lint` reads a proposal in every way, and what is recorded is compared in every way, too;
what is encoded is read by `policies.encodings`.
"""

import re
import unicodedata

LONG_WORD = 24  # letters; longer ones are several words
SPELLED = 12  # single letters in a row from which they are one text

# Letters that look like Latin ones, and signs and digits that stand for letters. Case is folded before.
_CYRILLIC = "абвгеёзикмнопрстухіїјѕһԁԛԝ", "abbreeeukmhonpctyxiijshdqw"
_GREEK = "αβγεηικνορτυχωζμ", "abyenikvoptuxwzu"
_OTHERS = "ıłøðđħŧɡɑʟɩ", "iloddhtgali"
_ALIKE = {ord(a): b for source, target in (_CYRILLIC, _GREEK, _OTHERS) for a, b in zip(source, target, strict=True)}
_FIGURES = str.maketrans("0134578|!@$€", "oieastbiiase")
_ONE = str.maketrans("l0134578", "ioieastb")  # l, i and 1 are one letter: nobody can tell which a figure stands for

_BLANK = dict.fromkeys(map(ord, "\u115f\u1160\u3164\uffa0\u2800"))  # letters by their category that show nothing
_UNSEEN = frozenset({"Cf", "Mn", "Me"})  # categories: formats, and marks on a letter
_MIXED = re.compile(r"(?<![\w@$€!|])(?=[\w@$€!|]*[^\W\d_])(?=\w*[\d@$€!|])[\w@$€!|]*\w")
_LETTER = r"(?<![^\W_])[^\W_](?![^\W_])"
_SPELLED = re.compile(rf"{_LETTER}(?:[\s.*/|~·_-]{{1,4}}{_LETTER}){{{SPELLED - 1},}}")
_ADDRESS = re.compile(r"(?<=\w)@(?=[\w-]+\.\w)")  # its sign is no letter
_GAP = re.compile(r"[\W_]+")


def clear(text: str) -> str:
    """Text in small Latin letters where it only looked otherwise; a text without disguise keeps its words.

    Figures are taken for letters only within a word that has some; `alike` goes further.
    """
    plain = _ADDRESS.sub(" ", _joined(unmarked(text).casefold().translate(_ALIKE)))
    return _MIXED.sub(lambda found: found[0].translate(_FIGURES), plain)


def alike(text: str) -> str:
    """A clear text with l, i and 1 as one letter, and every figure as a letter: for comparison alone."""
    return text.translate(_ONE)


def spelled_out(text: str) -> bool:
    """Is a sentence written letter by letter in it?"""
    return any(sum(map(str.isalpha, found[0])) >= SPELLED for found in _SPELLED.finditer(text))


def unmarked(text: str) -> str:
    """Compatibility form, without accents and invisible characters."""
    if text.isascii():
        return text
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unseen(char)).translate(_BLANK)


def unseen(char: str) -> bool:
    """Is it a format character, or a mark on the letter before it?"""
    return unicodedata.category(char) in _UNSEEN


def _joined(text: str) -> str:
    """Words that were spelled out, put together; where nothing shows their ends the letters stay apart."""
    return _SPELLED.sub(lambda found: _words(found[0]), text)


def _words(spelled: str) -> str:
    narrow = min(map(len, _GAP.findall(spelled)))
    joined = _GAP.sub(lambda gap: "" if len(gap[0]) == narrow else " ", spelled)
    return joined if max(map(len, joined.split())) <= LONG_WORD else spelled
