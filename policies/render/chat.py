"""Chat completions: system text in leading messages, what was retrieved in messages before the last question.

Source: OpenAI API reference, "Create chat completion".
"""

from typing import Any, Final

from policies.errors import ClientError
from policies.genome import PromptLayer
from policies.render.stable import Recalled, Stable, as_turns, has_tools, joined
from policies.render.turns import Turns, content_text, head_of, no_object
from policies.render.vocabulary import Vocabulary

SYSTEM_ROLES: Final = ("system", "developer")


def chat_turns(body: dict[str, Any]) -> Turns:
    """The conversation of a chat request of any shape."""
    messages = body.get("messages")
    if type(messages) is not list:
        return Turns(user=body.get("user"))
    turn = number = head = last = 0
    continued = False
    first: Any = None
    latest: Any = None
    try:
        for message in messages:
            role = message["role"]
            if role == "user":
                if not turn:
                    first = message.get("content")
                latest = message
                last = number
                turn += 1
            elif role == "assistant":
                continued = True
            elif head == number and role in SYSTEM_ROLES:
                head += 1
            number += 1
    except (KeyError, TypeError):
        return _odd_turns(body, messages)
    if not turn:
        return Turns(0, continued, head=head, user=body.get("user"))
    content = latest.get("content")
    text = content if type(content) is str else content_text(content)
    return Turns(turn, continued, first, text, head, last, body.get("user"))


def _odd_turns(body: dict[str, Any], messages: list[Any]) -> Turns:
    """The same where some messages are no objects or have no role."""
    known = [message if type(message) is dict and "role" in message else {"role": None} for message in messages]
    turns = chat_turns({**body, "messages": known})
    turns.head = head_of(messages, SYSTEM_ROLES)
    return turns


class ChatComposer:
    """A prompt layer in chat's words."""

    __slots__ = ("_before", "_shots", "_stable", "_text", "_tools_matter")

    def __init__(self, prompt: PromptLayer) -> None:
        self._stable = Stable.of(prompt)
        self._shots = as_turns(self._stable.shots)
        self._text = self._stable.text
        self._tools_matter = self._stable.text_with_tools != self._text
        self._before = self._stable.placement == "before"

    def __call__(self, request: dict[str, Any], turns: Turns, recalled: Recalled) -> None:
        """See `Composer`."""
        messages, head = request.get("messages"), turns.head
        if type(messages) is not list:
            raise ClientError("'messages' must be a list")
        if head < 0:
            raise no_object("messages", messages)
        text = self._stable.text_with_tools if self._tools_matter and has_tools(request) else self._text
        request["messages"] = composed = messages.copy()
        reference, shots = recalled
        place = head if turns.last is None else turns.last
        if reference:
            composed.insert(place, {"role": "system", "content": reference})
        if shots:
            composed[place:place] = as_turns(shots)
        if self._shots:
            composed[head:head] = self._shots
        if not text:
            return
        if not head:
            composed.insert(0, {"role": "system", "content": text})
        elif self._before and type(content := composed[0].get("content")) is str and content:  # what most requests are
            composed[0] = {**composed[0], "content": f"{text}\n\n{content}"}
        else:
            _put(composed, head, text, self._stable)


def _put(messages: list[Any], head: int, text: str, stable: Stable) -> None:
    """Put text into the system messages, which are the first `head`, in place."""
    if stable.placement == "replace":
        messages[:head] = [{"role": messages[0]["role"], "content": text}]
        return
    before = stable.placement == "before"
    place = 0 if before else head - 1
    message = messages[place]
    part = {"type": "text", "text": text}
    messages[place] = {**message, "content": joined(message.get("content"), text, part, before=before)}


CHAT_COMPLETIONS: Final = Vocabulary(
    turns=chat_turns,
    composer=ChatComposer,
    spellings={
        "temperature": ("temperature",),
        "top_p": ("top_p",),
        "max_tokens": ("max_tokens", "max_completion_tokens"),
    },
    asks_usage=True,
    plain="messages",
)
