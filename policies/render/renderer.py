"""The one place where genes become bytes.

1. What a genome leaves unset stays as the client sent it; tools, response format, images and unknown fields always do.
2. Stable text stands first and retrieved text last, directly before the last user message, so that the provider's
   prefix cache holds over turns.
3. The client's body is never changed, and whatever its shape, the only error is `ClientError`.
"""

from collections.abc import Collection
from typing import Any

import orjson

from policies.errors import ClientError
from policies.genome import Genome
from policies.render import exact
from policies.render.chat import CHAT_COMPLETIONS
from policies.render.parameters import Parameters
from policies.render.stable import NOTHING, Memory, Recalled, Stable
from policies.render.target import ModelTarget
from policies.render.turns import Turns
from policies.render.vocabulary import Vocabulary


class Renderer:
    """A genome and a target, compiled for one endpoint.

    Args:
        genome: what to apply.
        target: where the request goes; None leaves `model` and every parameter's name as the client sent them.
        client_wins: genes that yield to what the client set.
        vocabulary: the endpoint's words.

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
        self._turns = vocabulary.turns
        self._plain = vocabulary.plain
        self._model = target.model if target is not None else None
        self._set_parameters = Parameters(genome.strategy, target, client_wins, vocabulary).apply
        self._compose = vocabulary.composer(genome.prompt)
        self._silent = Stable.of(genome.prompt).silent
        takes_options = target is None or target.params.get("stream_options", "") is not None
        self._asks_usage = vocabulary.asks_usage and takes_options

    def render(
        self,
        body: dict[str, Any],
        memory: Memory = (),
        *,
        ask_usage: bool = False,
        turns: Turns | None = None,
        raw: bytes | None = None,
    ) -> bytes:
        """The request that goes up, as JSON.

        Args:
            body: the client's JSON; never changed.
            memory: retrieved entries, best first.
            ask_usage: ask for token counts in a stream where the client did not; see `adds_usage`.
            turns: of `body`, where they were read already.
            raw: the bytes that `body` was read from; with them, integers of any length go up as they came.

        Raises:
            ClientError: the body is not of a shape that the genome can be applied to.
        """
        if type(body) is not dict:
            raise ClientError("the request's body must be a JSON object")
        long = None
        if raw is not None and not exact.is_plain(body, self._plain):
            long = exact.exact(raw)
        request = body.copy() if long is None else long
        recalled = Recalled.of(memory) if memory else NOTHING
        if recalled is not NOTHING or not self._silent:
            self._compose(request, self._turns(body) if turns is None else turns, recalled)
        self._set_parameters(request)
        if self._model is not None:
            request["model"] = self._model
        if ask_usage and body.get("stream") is True and self.adds_usage(body):
            request["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        if long is not None:
            return exact.dumps(request)
        try:
            return orjson.dumps(request)
        except orjson.JSONEncodeError as error:
            raise ClientError(f"the request can't be written as JSON: {error}") from error

    def adds_usage(self, body: dict[str, Any]) -> bool:
        """Whether `ask_usage` changes this request: then the client expects no usage chunk, and it is to be hidden."""
        if body.get("stream") is not True or not self._asks_usage:
            return False
        options = body.get("stream_options")
        return options is None or (type(options) is dict and not options.get("include_usage"))
