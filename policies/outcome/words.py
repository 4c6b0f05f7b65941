"""The words of a streamed answer, and how to recognise the events that bring nothing else.

An event that was read as JSON teaches what stands before and behind its words. Another that has the same there, and in
between a JSON string's characters without a quotation mark, means the same with other words. What can't be a string
after all (an unfinished escape, bytes that are no UTF-8) is found when the words are put together, and counted.
"""

from typing import Final

import orjson

_NEVER: Final = b"\n\n"  # in no event, so that nothing is recognised before something was learned
_NOISE: Final = b'"obfuscation":"'  # OpenAI's padding against guessing words by length; the last field of an event
NO_USAGE: Final = (b',"usage":null', b', "usage": null', b'"usage":null,', b'"usage": null, ')
_BLANK: Final = b"\n\n"
_LESSONS: Final = 8  # a stream in which each event is different is read as JSON


class Words:
    """Texts in the order of arrival, and what was learned; the reader holds events to it, in its own loop for speed."""

    __slots__ = ("_lessons", "_texts", "before", "behind", "broken", "ending", "padded", "pieces", "start", "usage")

    def __init__(self) -> None:
        self.before = self.behind = self.ending = self.padded = _NEVER  # `ending` is `behind` with its blank line
        self.start = 0  # where the words begin
        self.usage = b""  # how the event says that there is no usage yet, where it does
        self.pieces: list[bytes] = []  # as they stood in JSON strings, behind all of `_texts`
        self.broken = 0  # pieces that were no strings
        self._texts: list[str] = []
        self._lessons = 0

    def add(self, text: str) -> None:
        """Words that were read as JSON."""
        if self.pieces:
            self._decode()
        self._texts.append(text)

    def learn(self, event: bytes, name: bytes, text: str) -> None:
        """Learn from an event that brought `text`, as the field `name`, and nothing else."""
        if self._lessons >= _LESSONS:
            return
        self._lessons += 1
        opening = b'"%b":"' % name
        start = event.find(opening) + len(opening)
        if start < len(opening):
            opening = b'"%b": "' % name
            start = event.find(opening) + len(opening)
        words = text.encode()
        behind = event[start + len(words) :]
        if event.count(opening) != 1 or event[start : start + len(words)] != words or behind[:1] != b'"':
            return
        self.before, self.start = event[:start], start
        self.behind, self.padded = behind, _NEVER
        noise = behind.find(_NOISE)
        if noise >= 0:
            self.behind, self.padded = _NEVER, behind[: noise + len(_NOISE)]
        self.ending = self.behind + b"\n\n"
        self.usage = next((spelling for spelling in NO_USAGE if spelling in event), b"")

    def is_padded(self, rest: bytes, end: bytes) -> bool:
        """Whether what stands behind an event's words is what was learned, but for the padding, and then `end`."""
        noise = len(self.padded)
        return rest.startswith(self.padded) and rest[rest.find(b'"', noise) :] == end and rest.find(b"\\", noise) < 0

    def text(self) -> str:
        """All of them."""
        if self.pieces:
            self._decode()
        if len(self._texts) > 1:
            self._texts = ["".join(self._texts)]
        return self._texts[0] if self._texts else ""

    def _decode(self) -> None:
        pieces, self.pieces = self.pieces, []
        try:
            self._texts += orjson.loads(b'["%b"]' % b'","'.join(pieces))
        except orjson.JSONDecodeError:
            for piece in pieces:
                try:
                    self._texts.append(orjson.loads(b'"%b"' % piece))
                except orjson.JSONDecodeError:
                    self.broken += 1
