"""Anthropic's messages: system text in `system`, reference material as the first text of the last question.

Worked examples that were retrieved stand before that question, unless it holds the results of calls: these must follow
their calls.

1. A user message that holds nothing but tool results is no turn of the user's.
2. Tool results stay first in their message, as the endpoint demands.
3. While a model thinks, the provider fixes temperature and top_p, and max_tokens holds its thoughts as well: then
   these genes yield. `max_tokens: 0` fills the prompt cache and is no limit.

Source: Anthropic API reference, "Create a message"; "Building with extended thinking".
"""

from typing import Any

from policies.errors import ClientError
from policies.genome import PromptLayer
from policies.render.stable import Recalled, Stable, as_turns, has_tools, joined
from policies.render.turns import Turns, content_text
from policies.render.vocabulary import Vocabulary


def message_turns(body: dict[str, Any]) -> Turns:
    """The conversation of a messages request of any shape."""
    metadata = body.get("metadata")
    user = metadata.get("user_id") if type(metadata) is dict else None
    messages = body.get("messages")
    if type(messages) is not list:
        return Turns(user=user)
    known = [message if type(message) is dict else {} for message in messages]
    continued = any(message.get("role") == "assistant" for message in known)
    asked = [number for number, message in enumerate(known) if message.get("role") == "user" and _asks(message)]
    if not asked:
        return Turns(0, continued, user=user)
    text = content_text(known[asked[-1]].get("content"))
    return Turns(len(asked), continued, known[asked[0]].get("content"), text, last=asked[-1], user=user)


def _asks(message: dict[str, Any]) -> bool:
    """Whether a message holds anything but tool results."""
    content = message.get("content")
    return type(content) is not list or not content or _results(content) < len(content)


def _results(content: list[Any]) -> int:
    """How many tool results a message begins with."""
    for number, block in enumerate(content):
        if type(block) is not dict or block.get("type") != "tool_result":
            return number
    return len(content)


class MessageComposer:
    """A prompt layer in Anthropic's words."""

    __slots__ = ("_shots", "_stable")

    def __init__(self, prompt: PromptLayer) -> None:
        self._stable = Stable.of(prompt)
        self._shots = as_turns(self._stable.shots)

    def __call__(self, request: dict[str, Any], turns: Turns, recalled: Recalled) -> None:
        """See `Composer`."""
        messages = request.get("messages")
        if type(messages) is not list:
            raise ClientError("'messages' must be a list")
        text = self._stable.text_with_tools if has_tools(request) else self._stable.text
        if text:
            _put_system(request, text, self._stable)
        reference, shots = recalled
        if not (reference or shots or self._shots):
            return
        request["messages"] = composed = [*self._shots, *messages]
        if turns.last is None:
            return
        place = turns.last + len(self._shots)
        if reference:
            composed[place] = _with_reference(composed[place], reference)
        if shots and not _answers_calls(messages[turns.last]):
            composed[place:place] = as_turns(shots)


def _put_system(request: dict[str, Any], text: str, stable: Stable) -> None:
    system = request.get("system")
    if stable.placement == "replace":
        request["system"] = text
    else:
        request["system"] = joined(system, text, {"type": "text", "text": text}, before=stable.placement == "before")


def _answers_calls(message: dict[str, Any]) -> bool:
    content = message.get("content")
    return type(content) is list and _results(content) > 0


def _with_reference(message: dict[str, Any], text: str) -> dict[str, Any]:
    block = {"type": "text", "text": text}
    content = message.get("content")
    if type(content) is list:
        results = _results(content)
        return {**message, "content": [*content[:results], block, *content[results:]]}
    if type(content) is str:
        return {**message, "content": [block, {"type": "text", "text": content}]}
    raise ClientError("the content of a message must be text or a list of blocks")


def _yielding(request: dict[str, Any]) -> tuple[str, ...]:
    thinking = request.get("thinking")
    if type(thinking) is dict and thinking.get("type") != "disabled":
        return ("temperature", "top_p", "max_tokens")
    return ("max_tokens",) if request.get("max_tokens") == 0 else ()


MESSAGES = Vocabulary(
    turns=message_turns,
    composer=MessageComposer,
    spellings={"temperature": ("temperature",), "top_p": ("top_p",), "max_tokens": ("max_tokens",)},
    foreign=frozenset({"max_completion_tokens", "max_output_tokens"}),
    yielding=_yielding,
)
