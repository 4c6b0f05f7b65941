"""The answer of a chat completion that was not streamed. Only the first choice is read.

Source: OpenAI API reference, "The chat completion object".
"""

from typing import Any, Final

import orjson

from policies.outcome.answer import Answer, as_list, as_object, call, describe_error, read_openai_usage

REASONS: Final = {"function_call": "tool_calls"}  # all others go by the same names everywhere


def read_answer(body: bytes) -> Answer:
    """The answer in the body of a chat completion, or the error in it."""
    answer = Answer()
    choice = first_choice(answer, body)
    if choice is None:
        return answer
    message = choice.get("message")
    if type(message) is not dict:
        answer.malformed = 1
        return answer
    answer.complete = True
    content = message.get("content")
    if type(content) is str:
        answer.text = content
    refusal = message.get("refusal")
    if refusal and type(refusal) is str:
        answer.refusal = refusal
    calls = message.get("tool_calls")
    if calls:
        answer.tool_calls = _calls(calls)
    elif "function_call" in message:
        answer.tool_calls = _calls([{"function": message["function_call"]}])
    return answer


def first_choice(answer: Answer, body: bytes) -> dict[str, Any] | None:
    """Read all of a completion but the words: the first choice, or None where there is an error or no choice."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if type(value) is not dict:
        answer.malformed = 1
        return None
    model = value.get("model")
    if type(model) is str:
        answer.model = model
    read_openai_usage(answer, value.get("usage"))
    if value.get("error"):
        answer.error = describe_error(value["error"])
        return None
    choices = value.get("choices")
    if type(choices) is not list or not choices or type(choices[0]) is not dict:
        answer.malformed = 1
        return None
    reason = choices[0].get("finish_reason")
    if reason and type(reason) is str:
        answer.finish_reason = REASONS.get(reason, reason)
    choice: dict[str, Any] = choices[0]
    return choice


def _calls(calls: Any) -> list[dict[str, str]]:
    found = []
    for one in as_list(calls):
        function = as_object(as_object(one).get("function"))
        if function:
            found.append(call(function.get("name"), function.get("arguments"), one.get("id")))
    return found
