"""The answers of text completions, whole and streamed. Of several choices the first one is read.

Source: OpenAI API reference, "The completion object (legacy)".
"""

from typing import Any

from policies.outcome.answer import Answer
from policies.outcome.chat import first_choice
from policies.outcome.chat_stream import ChatStream


def read_completion(body: bytes) -> Answer:
    """The answer in the body of a text completion, or the error in it."""
    answer = Answer()
    choice = first_choice(answer, body)
    if choice is None:
        return answer
    text = choice.get("text")
    if type(text) is str:
        answer.text = text
        answer.complete = True
    else:
        answer.malformed = 1
    return answer


class CompletionStream(ChatStream):
    """Reads chunks that hold text beside their `finish_reason`; else as in chat."""

    __slots__ = ()

    def _said(self, choice: dict[str, Any], raw: bytes | None) -> None:
        text = choice.get("text")
        if text and type(text) is str:
            self._words.add(text)
            if raw is not None:
                self._words.learn(raw, b"text", text)
