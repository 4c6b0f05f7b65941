"""Tool results in every dialect's words, errors among them, and what a conversation's next request is taken for."""

from typing import Any

import pytest

from gateway.pipeline.recent import Recent
from gateway.pipeline.signals import is_tool_error, observe, tool_results
from policies.dialects import DIALECTS, dialect_of
from tests.gateway.pipeline.conftest import Running

CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
ASKED = {"role": "user", "content": "What is the weather?"}


def chat(*results: str) -> list[dict[str, Any]]:
    calls = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    return [ASKED, calls, *({"role": "tool", "tool_call_id": "c1", "content": result} for result in results)]


def messages(*blocks: dict[str, Any]) -> list[dict[str, Any]]:
    use = {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "look_up", "input": {}}]}
    return [
        ASKED,
        use,
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", **b} for b in blocks]},
    ]


def items(*outputs: str) -> list[dict[str, Any]]:
    call = {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": "{}"}
    return [ASKED, call, *({"type": "function_call_output", "call_id": "c1", "output": output} for output in outputs)]


@pytest.mark.parametrize(
    ("path", "body", "found"),
    [
        ("/v1/chat/completions", {"messages": chat("sunny")}, [False]),
        ("/v1/chat/completions", {"messages": chat("sunny", "Error: no such city")}, [True, False]),
        ("/v1/chat/completions", {"messages": [*chat("Error: x"), {"role": "assistant", "content": "?"}]}, []),
        ("/v1/chat/completions", {"messages": [*chat("Error: x"), ASKED]}, []),
        ("/v1/chat/completions", {"messages": [ASKED]}, []),
        ("/v1/chat/completions", {"messages": [ASKED, 3, None]}, []),
        ("/v1/chat/completions", {}, []),
        ("/v1/messages", {"messages": messages({"content": "sunny"})}, [False]),
        ("/v1/messages", {"messages": messages({"content": "sunny", "is_error": True})}, [True]),
        ("/v1/messages", {"messages": messages({"content": [{"type": "text", "text": "Error: down"}]})}, [True]),
        ("/v1/responses", {"input": items('{"temperature": 20}')}, [False]),
        ("/v1/responses", {"input": items('{"error": "timeout"}')}, [True]),
        ("/v1/responses", {"input": items("fine")[2:], "previous_response_id": "r"}, [False]),
        ("/v1/responses", {"input": "hello"}, []),
    ],
)
def test_the_results_that_a_request_ends_with(path: str, body: dict[str, Any], found: list[bool]) -> None:
    dialect = dialect_of(path)
    assert dialect in DIALECTS
    assert tool_results(body, dialect.turns(body).last) == found


@pytest.mark.parametrize(
    "text",
    [
        "Error: no such city",
        "error calling tool",
        "ValueError: bad argument",
        "requests.exceptions.HTTPError: 404",
        "Traceback (most recent call last):",
        "HTTP 503 Service Unavailable",
        "404 Not Found",
        "timed out after 30 s",
        '{"error": {"message": "no"}}',
        '{"success": false}',
        '{"isError": true, "content": []}',
        '{"status": "failed", "reason": "limit"}',
    ],
)
def test_errors(text: str) -> None:
    assert is_tool_error(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sunny, 20 degrees",
        "No errors were found in the file",
        '{"error": null, "rows": [1]}',
        '{"errors": [], "data": {"a": 1}}',
        '{"success": true}',
        '{"status": "ok"}',
        "500 users signed up",
        "404 results",
        "Terror in the night, a novel",
    ],
)
def test_no_errors(text: str) -> None:
    assert not is_tool_error(text)


def test_a_tool_loop_is_no_retry() -> None:
    before = Recent("1", 100.0, "p", "u", 1, "a", (), fresh=True, said=7)
    seen = [
        observe(before, turn=1, text="x", said=7, now=101.0, results=found) for found in ([], [False], [False, True])
    ]
    assert seen == ["retry", "tool_ok", "tool_error"]


async def test_a_conversation_with_a_tool_leaves_its_signals(gateway: Running) -> None:
    headers = {"x-evogate-session": "s"}
    _, first, _ = await gateway.ask("What is the weather?", headers=headers)
    for messages in (chat("Error: no such city"), [*chat("Error: no such city"), *chat("sunny")[1:]]):
        await gateway.ask(headers=headers, messages=messages)
    signals = gateway.frames("signal")
    assert [signal["kind"] for signal in signals] == ["tool_error", "tool_ok"]
    assert signals[0]["id"] == first["x-evogate-request-id"]
