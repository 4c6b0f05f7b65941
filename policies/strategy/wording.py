"""Requests that a strategy makes beside the client's own, in the endpoint's words."""

from typing import Any

from policies.outcome.answer import Answer

MOST_TOKENS = 512  # of a verifier: reasoning models spend some before their word
_CALL = "{name}({arguments})"


def asked(dialect: str, text: str, temperature: float) -> dict[str, Any]:
    """A request of one question, answered whole and stored nowhere.

    Args:
        dialect: the endpoint's name, see `policies.dialects`.
        text: the question.
        temperature: 0..2.
    """
    body: dict[str, Any] = {"temperature": temperature}
    match dialect:
        case "responses":
            return body | {"input": text, "max_output_tokens": MOST_TOKENS, "store": False}
        case "completions":
            return body | {"prompt": text, "max_tokens": MOST_TOKENS}
        case _:
            return body | {"messages": [{"role": "user", "content": text}], "max_tokens": MOST_TOKENS}


def again(dialect: str, body: dict[str, Any], answer: Answer, complaint: str) -> dict[str, Any] | None:
    """The client's request, the answer that did not fit and why; None where the request has no place for it."""
    said = shown(answer)
    why = f"That answer can't be used: {complaint} Answer again in full, with that put right and nothing else changed."
    turns = [{"role": "assistant", "content": said}, {"role": "user", "content": why}]
    match dialect:
        case "completions":
            prompt = body.get("prompt")
            return {**body, "prompt": f"{prompt}{said}\n\n{why}\n\n"} if type(prompt) is str else None
        case "responses":
            before = body.get("input")
            if type(before) is str:
                before = [{"role": "user", "content": before}]
            return {**body, "input": [*before, *turns]} if type(before) is list else None
        case _:
            messages = body.get("messages")
            return {**body, "messages": [*messages, *turns]} if type(messages) is list else None


def shown(answer: Answer) -> str:
    """An answer as text: its words and its calls."""
    calls = [_CALL.format_map(call) for call in answer.tool_calls]
    return "\n".join(filter(None, [answer.text, *calls])) or "(nothing)"
