"""Answers as providers write them, one of each kind for each endpoint, and what they mean."""

from typing import Any

import orjson

from policies.outcome import Answer

CALL = {"id": "call_1", "name": "find", "arguments": '{"city":"Oslo"}'}


def events(*values: dict[str, Any]) -> list[bytes]:
    """Server-sent events, each named by its type."""
    return [b"event: %b\ndata: %b\n\n" % (value["type"].encode(), orjson.dumps(value)) for value in values]


def data(*values: dict[str, Any]) -> list[bytes]:
    """Server-sent events without a name."""
    return [b"data: %b\n\n" % orjson.dumps(value) for value in values]


def _numbered(*values: dict[str, Any]) -> list[bytes]:
    return events(*({**value, "sequence_number": number} for number, value in enumerate(values)))


DONE = b"data: [DONE]\n\n"

# -- chat completions --------------------------------------------------------------------------------------------------

CHAT_WHOLE = rb"""{
  "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "object": "chat.completion", "created": 1741569952,
  "model": "gpt-4.1-2025-04-14",
  "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello Oslo \u00fc",
      "tool_calls": [{"id": "call_1", "type": "function",
                      "function": {"name": "find", "arguments": "{\"city\":\"Oslo\"}"}}],
      "refusal": null, "annotations": []}, "logprobs": null, "finish_reason": "tool_calls"}],
  "usage": {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0}},
  "service_tier": "default"}"""


def _chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return {
        "id": "chatcmpl-123",
        "object": "chat.completion.chunk",
        "created": 1694268190,
        "model": "gpt-4.1-2025-04-14",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [choice],
        **more,
    }


def _called(**call: Any) -> dict[str, Any]:
    return _chunk({"tool_calls": [{"index": 0, **call}]})


CHAT_STREAM = [
    *data(
        _chunk({"role": "assistant", "content": "", "refusal": None}),
        _chunk({"content": "Hello"}),
        _chunk({"content": " Oslo"}),
        _chunk({"content": " ü"}),
        _called(id="call_1", type="function", function={"name": "find", "arguments": ""}),
        _called(function={"arguments": '{"city"'}),
        _called(function={"arguments": ':"Oslo"}'}),
        _chunk({}, "tool_calls"),
        {
            **_chunk({}),
            "choices": [],
            "usage": {
                "prompt_tokens": 19,
                "completion_tokens": 10,
                "total_tokens": 29,
                "prompt_tokens_details": {"cached_tokens": 8},
            },
        },
    ),
    DONE,
]
FULL = {
    "text": "Hello Oslo ü",
    "tool_calls": [CALL],
    "finish_reason": "tool_calls",
    "input_tokens": 19,
    "cached_tokens": 8,
    "output_tokens": 10,
    "has_usage": True,
    "complete": True,
}

# -- text completions --------------------------------------------------------------------------------------------------

COMPLETION_WHOLE = rb"""{"id": "cmpl-uqkvlQyYK7bGYrRHQ0eXlWi7", "object": "text_completion", "created": 1589478378,
  "model": "gpt-3.5-turbo-instruct", "choices": [
    {"text": "\n\nHello Oslo", "index": 0, "logprobs": null, "finish_reason": "length"}],
  "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}}"""


def _text(text: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": reason}
    head = {"id": "cmpl-7iA7", "object": "text_completion", "created": 1690759702}
    return {**head, "choices": [choice], "model": "gpt-3.5-turbo-instruct", **more}


COMPLETION_STREAM = [
    *data(
        _text("\n\n"),
        _text("Hello"),
        _text(" Oslo"),
        _text("", "length"),
        {**_text(""), "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}},
    ),
    DONE,
]
CONTINUED = {
    "text": "\n\nHello Oslo",
    "finish_reason": "length",
    "input_tokens": 5,
    "output_tokens": 7,
    "has_usage": True,
    "complete": True,
}

# -- responses ---------------------------------------------------------------------------------------------------------

MESSAGE_ITEM: dict[str, Any] = {
    "type": "message",
    "id": "msg_1",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello Oslo ü", "annotations": []}],
}
CALL_ITEM: dict[str, Any] = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "find",
    "arguments": '{"city":"Oslo"}',
    "status": "completed",
}
RESPONSE: dict[str, Any] = {
    "id": "resp_67ccd2bed1ec8190",
    "object": "response",
    "created_at": 1741476542,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "model": "gpt-4.1-2025-04-14",
    "output": [{"type": "reasoning", "id": "rs_1", "summary": []}, MESSAGE_ITEM, CALL_ITEM],
    "usage": {
        "input_tokens": 19,
        "input_tokens_details": {"cached_tokens": 8},
        "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 29,
    },
}
_BEGUN = {**RESPONSE, "status": "in_progress", "output": [], "usage": None}
_PART = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
RESPONSE_OPENING: list[dict[str, Any]] = [
    {"type": "response.created", "response": _BEGUN},
    {"type": "response.in_progress", "response": _BEGUN},
    {"type": "response.output_item.added", "output_index": 1, "item": {**MESSAGE_ITEM, "content": []}},
    {"type": "response.content_part.added", **_PART, "part": {"type": "output_text", "text": "", "annotations": []}},
    {"type": "response.output_text.delta", **_PART, "delta": "Hello"},
    {"type": "response.output_text.delta", **_PART, "delta": ' "Oslo"'},
    {"type": "response.output_text.delta", **_PART, "delta": " ü", "obfuscation": "a8Vc"},
]


def response_stream(*last: dict[str, Any]) -> list[bytes]:
    """A streamed response with those events at its end."""
    return _numbered(*RESPONSE_OPENING, *last)


RESPONSE_STREAM = response_stream(
    {"type": "response.output_text.done", **_PART, "text": "Hello Oslo ü"},
    {"type": "response.output_item.done", "output_index": 1, "item": MESSAGE_ITEM},
    {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 2, "delta": '{"city"'},
    {"type": "response.completed", "response": RESPONSE},
)

# -- Anthropic's messages ----------------------------------------------------------------------------------------------

MESSAGE_WHOLE = rb"""{"id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message", "role": "assistant",
  "model": "claude-sonnet-4-5-20250929",
  "content": [{"type": "thinking", "thinking": "Where?", "signature": "EqQB"},
    {"type": "text", "text": "Hello Oslo \u00fc"},
    {"type": "tool_use", "id": "call_1", "name": "find", "input": {"city": "Oslo"}}],
  "stop_reason": "tool_use", "stop_sequence": null,
  "usage": {"input_tokens": 4, "cache_creation_input_tokens": 7, "cache_read_input_tokens": 8, "output_tokens": 10,
    "service_tier": "standard"}}"""


def _delta(index: int, kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **more}}


MESSAGE_OPENING: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": "claude-sonnet-4-5-20250929",
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": 4,
                "cache_creation_input_tokens": 7,
                "cache_read_input_tokens": 8,
                "output_tokens": 1,
            },
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    _delta(0, "text_delta", text="Hello"),
    _delta(0, "text_delta", text=" Oslo"),
    _delta(0, "text_delta", text=" ü"),
    {"type": "content_block_stop", "index": 0},
]
MESSAGE_STREAM = events(
    *MESSAGE_OPENING,
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "call_1", "name": "find", "input": {}},
    },
    _delta(1, "input_json_delta", partial_json=""),
    _delta(1, "input_json_delta", partial_json='{"city":'),
    _delta(1, "input_json_delta", partial_json='"Oslo"}'),
    {"type": "content_block_stop", "index": 1},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 10},
    },
    {"type": "message_stop"},
)

# -- all of them -------------------------------------------------------------------------------------------------------

MEANINGS: dict[str, Answer] = {
    "chat": Answer(**FULL, model="gpt-4.1-2025-04-14"),  # type: ignore[arg-type]
    "completions": Answer(**CONTINUED, model="gpt-3.5-turbo-instruct"),  # type: ignore[arg-type]
    "responses": Answer(**FULL, model="gpt-4.1-2025-04-14", id="resp_67ccd2bed1ec8190"),  # type: ignore[arg-type]
    "messages": Answer(**FULL, model="claude-sonnet-4-5-20250929"),  # type: ignore[arg-type]
}
WHOLE = {
    "chat": CHAT_WHOLE,
    "completions": COMPLETION_WHOLE,
    "responses": orjson.dumps(RESPONSE),
    "messages": MESSAGE_WHOLE,
}
STREAMS = {
    "chat": CHAT_STREAM,
    "completions": COMPLETION_STREAM,
    "responses": RESPONSE_STREAM,
    "messages": MESSAGE_STREAM,
}
