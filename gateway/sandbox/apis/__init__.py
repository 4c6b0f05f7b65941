"""The endpoints that answer with text: each turns its request into a chat request, and a completion into its shapes."""

from gateway.sandbox.apis.api import Api, Event
from gateway.sandbox.apis.chat import CHAT, ChatApi
from gateway.sandbox.apis.completions import CompletionsApi
from gateway.sandbox.apis.messages import MessagesApi
from gateway.sandbox.apis.responses import ResponsesApi

__all__ = ["CHAT", "Api", "Event", "apis"]


def apis() -> tuple[Api, ...]:
    """All of them, with nothing stored."""
    return ChatApi(), CompletionsApi(), ResponsesApi(), MessagesApi()
