"""The endpoints that a genome applies to, each found by its path with one look-up.

A policy that matches any other path keeps chat's dialect: compatible servers speak it under names of their own.
"""

from policies.dialects import errors
from policies.dialects.dialect import Dialect
from policies.outcome import ChatStream, read_answer
from policies.outcome.completions import CompletionStream, read_completion
from policies.outcome.messages import read_message
from policies.outcome.messages_stream import MessageStream
from policies.outcome.responses import read_response
from policies.outcome.responses_stream import ResponseStream
from policies.render import CHAT_COMPLETIONS
from policies.render.completions import COMPLETIONS as TEXT_COMPLETIONS
from policies.render.messages import MESSAGES as ANTHROPIC_MESSAGES
from policies.render.responses import RESPONSES as MODEL_RESPONSES

CHAT = Dialect(
    name="chat",
    path="/v1/chat/completions",
    vocabulary=CHAT_COMPLETIONS,
    turns=CHAT_COMPLETIONS.turns,
    read_answer=read_answer,
    reader=ChatStream,
    error_event=errors.completions_event,
    error_body=errors.openai_body,
)
COMPLETIONS = Dialect(
    name="completions",
    path="/v1/completions",
    vocabulary=TEXT_COMPLETIONS,
    turns=TEXT_COMPLETIONS.turns,
    read_answer=read_completion,
    reader=CompletionStream,
    error_event=errors.completions_event,
    error_body=errors.openai_body,
)
RESPONSES = Dialect(
    name="responses",
    path="/v1/responses",
    vocabulary=MODEL_RESPONSES,
    turns=MODEL_RESPONSES.turns,
    read_answer=read_response,
    reader=ResponseStream,
    error_event=errors.responses_event,
    error_body=errors.openai_body,
    stores=True,
)
MESSAGES = Dialect(
    name="messages",
    path="/v1/messages",
    vocabulary=ANTHROPIC_MESSAGES,
    turns=ANTHROPIC_MESSAGES.turns,
    read_answer=read_message,
    reader=MessageStream,
    error_event=errors.messages_event,
    error_body=errors.anthropic_body,
    credential=b"x-api-key",
)

DIALECTS = (CHAT, COMPLETIONS, RESPONSES, MESSAGES)
_BY_PATH: dict[bytes | str, Dialect] = {path: d for d in DIALECTS for path in (d.path, d.path.encode())}


def dialect_of(path: bytes | str) -> Dialect:
    """The dialect spoken at that path, without its query."""
    return _BY_PATH.get(path, CHAT)
