"""Text completions: one text, with everything that a genome says in front of it; what was retrieved stands last.

A text has no system text of its own, so `placement` makes no difference: before it is the only place.

Source: OpenAI API reference, "Create completion (legacy)".
"""

from typing import Any

from policies.errors import ClientError
from policies.genome import PromptLayer
from policies.render.stable import Recalled, Stable
from policies.render.turns import Turns
from policies.render.vocabulary import Vocabulary
from policies.render.wording import shots_text


def completion_turns(body: dict[str, Any]) -> Turns:
    """The prompt as the one turn there is; several prompts are one request. Tokens have no text here."""
    prompt, user = body.get("prompt"), body.get("user")
    if type(prompt) is str:
        return Turns(1, False, prompt, prompt, user=user)
    if type(prompt) is not list:
        return Turns(user=user)
    return Turns(1, False, prompt, "\n".join([text for text in prompt if type(text) is str]), user=user)


class CompletionComposer:
    """A prompt layer in front of a text."""

    __slots__ = ("_prefix",)

    def __init__(self, prompt: PromptLayer) -> None:
        stable = Stable.of(prompt)
        self._prefix = [part for part in (stable.text, shots_text(stable.shots)) if part]

    def __call__(self, request: dict[str, Any], turns: Turns, recalled: Recalled) -> None:  # noqa: ARG002
        """See `Composer`."""
        reference, shots = recalled
        prefix = self._prefix
        if reference or shots:
            prefix = [*prefix, *(part for part in (shots_text(shots), reference) if part)]
        if not prefix:
            return
        if request.get("echo"):
            raise ClientError("'echo' repeats the prompt in the answer, so nothing is put in front of it")
        before = "\n\n".join([*prefix, ""])
        prompt = request.get("prompt")
        if type(prompt) is str:
            request["prompt"] = before + prompt
        elif type(prompt) is list and prompt and all(type(text) is str for text in prompt):
            request["prompt"] = [before + text for text in prompt]
        else:
            raise ClientError("'prompt' must be text or a list of texts")


COMPLETIONS = Vocabulary(
    turns=completion_turns,
    composer=CompletionComposer,
    spellings={"temperature": ("temperature",), "top_p": ("top_p",), "max_tokens": ("max_tokens",)},
    asks_usage=True,
    foreign=frozenset({"max_completion_tokens", "max_output_tokens"}),
)
