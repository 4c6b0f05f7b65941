"""The one place where genes become bytes.

1. What a genome leaves unset stays as the client sent it; tools, response format, images and unknown fields always do.
2. Stable text stands first and retrieved text last, directly before the last user message, so that the provider's
   prefix cache holds over turns.
3. The client's body is never changed, and whatever its shape, the only error is `ClientError`.
"""

from collections.abc import Collection, Sequence
from typing import Any

import orjson

from policies.errors import ClientError
from policies.genome import Genome
from policies.memory import Entry
from policies.render.messages import head_length, last_user, with_system_text
from policies.render.parameters import Parameters
from policies.render.target import ModelTarget
from policies.render.vocabulary import CHAT_COMPLETIONS, Vocabulary
from policies.render.wording import reference_text, system_text


class Renderer:
    """A genome and a target, compiled for one endpoint.

    Args:
        genome: what to apply.
        target: where the request goes; None leaves `model` and every parameter's name as the client sent them.
        client_wins: genes that yield to what the client set.
        vocabulary: the endpoint's field names.

    Raises:
        OperatorError: `client_wins` names something that can't yield.
    """

    def __init__(
        self,
        genome: Genome,
        target: ModelTarget | None,
        client_wins: Collection[str] = (),
        vocabulary: Vocabulary = CHAT_COMPLETIONS,
    ) -> None:
        prompt = genome.prompt
        self._words = vocabulary
        self._model = target.model if target is not None else None
        self._parameters = Parameters(genome.strategy, target, client_wins, vocabulary)
        self._text = system_text(prompt, tools=False)
        self._text_with_tools = system_text(prompt, tools=True)
        # Without rules there is nothing to put in the place of the client's own text.
        self._placement = prompt.placement if prompt.rubric or prompt.placement != "replace" else "after"
        self._shots = [
            message
            for shot in prompt.few_shots
            for message in ({"role": "user", "content": shot.user}, {"role": "assistant", "content": shot.assistant})
        ]
        self._says_something = bool(self._text_with_tools or self._shots)
        self._streams_usage = target is None or target.params.get("stream_options", "") is not None

    def render(self, body: dict[str, Any], memory: Sequence[Entry] = (), *, ask_usage: bool = False) -> bytes:
        """The request that goes up, as JSON.

        Args:
            body: the client's JSON; never changed.
            memory: retrieved entries, best first.
            ask_usage: ask for token counts in a stream where the client did not; see `adds_usage`.

        Raises:
            ClientError: the body is not of a shape that the genome can be applied to.
        """
        if type(body) is not dict:
            raise ClientError("the request's body must be a JSON object")
        request = body.copy()
        if self._says_something or memory:
            request[self._words.messages] = self._messages(body, memory)
        self._parameters.apply(request)
        if self._model is not None:
            request["model"] = self._model
        if ask_usage and self.adds_usage(body):
            request["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        try:
            return orjson.dumps(request)
        except orjson.JSONEncodeError as error:
            raise ClientError(f"the request can't be written as JSON: {error}") from error

    def adds_usage(self, body: dict[str, Any]) -> bool:
        """Whether `ask_usage` changes this request: then the client expects no usage chunk, and it is to be hidden."""
        if body.get("stream") is not True or not self._streams_usage:
            return False
        options = body.get("stream_options")
        return options is None or (type(options) is dict and not options.get("include_usage"))

    def _messages(self, body: dict[str, Any], memory: Sequence[Entry]) -> list[Any]:
        messages = body.get(self._words.messages)
        if type(messages) is not list:
            raise ClientError(f"'{self._words.messages}' must be a list")
        length = head_length(messages, self._words.system_roles)
        head, rest = messages[:length], messages[length:]
        text = self._text_with_tools if self._has_tools(body) else self._text
        if text:
            head = with_system_text(head, text, self._placement)
        if memory:
            self._insert_reference(rest, memory)
        return [*head, *self._shots, *rest]

    def _has_tools(self, body: dict[str, Any]) -> bool:
        return any(type(body.get(name)) is list and body[name] for name in self._words.tools)

    @staticmethod
    def _insert_reference(rest: list[Any], memory: Sequence[Entry]) -> None:
        rest.insert(last_user(rest) or 0, {"role": "system", "content": reference_text(memory)})
