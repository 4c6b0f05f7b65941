"""Responses: system text in `instructions`, turns in `input`, reference material in an item before the last question.

1. The client's system text is `instructions` and then the leading system messages of `input`, in this order.
2. The provider stores what stands in `input`: a request that goes on from a stored answer or conversation gets no
   examples again. `instructions` are not stored and are set each time.

Source: OpenAI API reference, "Create a model response"; "Conversation state".
"""

from typing import Any

from policies.errors import ClientError
from policies.genome import PromptLayer
from policies.render.stable import Recalled, Stable, as_turns, has_tools, joined
from policies.render.turns import Turns, content_text, head_of, no_object
from policies.render.vocabulary import Vocabulary

SYSTEM_ROLES = ("system", "developer")


def response_turns(body: dict[str, Any]) -> Turns:
    """The conversation of a responses request of any shape, as far as it is not stored."""
    user, parent, continued = body.get("user"), body.get("previous_response_id"), True
    if type(parent) is not str:
        parent, continued = _conversation(body.get("conversation")), False
    items = body.get("input")
    if type(items) is str:
        return Turns(1, continued, items, items, last=0, user=user, parent=parent)
    if type(items) is not list:
        return Turns(0, continued, user=user, parent=parent)
    roles = [item.get("role") if type(item) is dict else None for item in items]
    asked = [number for number, role in enumerate(roles) if role == "user"]
    # Calls, their results and reasoning have no role: all of them follow an answer.
    continued = continued or any(role is None or role == "assistant" for role in roles)
    head = head_of(items, SYSTEM_ROLES)
    if not asked:
        return Turns(0, continued, head=head, user=user, parent=parent)
    text = content_text(items[asked[-1]].get("content"))
    return Turns(len(asked), continued, items[asked[0]].get("content"), text, head, asked[-1], user, parent)


def _conversation(value: Any) -> str | None:
    name = value.get("id") if type(value) is dict else value
    return name if type(name) is str else None


class ResponseComposer:
    """A prompt layer in the responses endpoint's words."""

    __slots__ = ("_shots", "_stable")

    def __init__(self, prompt: PromptLayer) -> None:
        self._stable = Stable.of(prompt)
        self._shots = as_turns(self._stable.shots)

    def __call__(self, request: dict[str, Any], turns: Turns, recalled: Recalled) -> None:
        """See `Composer`."""
        sent = request.get("input")
        items: list[Any] = sent if type(sent) is list else []
        if type(sent) is not list and type(sent) is not str and sent is not None:
            raise ClientError("'input' must be text or a list of items")
        if turns.head < 0:
            raise no_object("input", items)
        text = self._stable.text_with_tools if has_tools(request) else self._stable.text
        head = turns.head
        if text and head and self._stable.placement == "after":
            request["input"] = items = _with_text(items, head - 1, text)
        elif text:
            head = self._put_instructions(request, text, head)
            items = items[turns.head - head :]
        reference, found = recalled
        shots, near = (self._shots, as_turns(found)) if turns.parent is None else ([], [])
        if shots or near or reference:
            question = [{"role": "user", "content": sent}] if type(sent) is str else []
            request["input"] = composed = [*items[:head], *shots, *items[head:], *question]
            place = len(shots) + (head if turns.last is None else turns.last - turns.head + head)
            composed[place:place] = [*near, *([{"role": "system", "content": reference}] if reference else ())]
        elif head < turns.head:
            request["input"] = items

    def _put_instructions(self, request: dict[str, Any], text: str, head: int) -> int:
        """Set them; returns how many system messages `input` still begins with."""
        if self._stable.placement == "replace":
            request["instructions"] = text
            return 0
        sent = request.get("instructions")
        if type(sent) is not str and sent is not None:
            raise ClientError("'instructions' must be text")
        request["instructions"] = joined(sent, text, {}, before=self._stable.placement == "before")
        return head


def _with_text(items: list[Any], place: int, text: str) -> list[Any]:
    """The items with `text` at the end of the system message at that place."""
    message = items[place]
    content = joined(message.get("content"), text, {"type": "input_text", "text": text}, before=False)
    return [*items[:place], {**message, "content": content}, *items[place + 1 :]]


RESPONSES = Vocabulary(
    turns=response_turns,
    composer=ResponseComposer,
    spellings={"temperature": ("temperature",), "top_p": ("top_p",), "max_tokens": ("max_output_tokens",)},
    foreign=frozenset({"max_tokens", "max_completion_tokens"}),
)
