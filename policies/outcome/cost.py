"""What an answer cost."""

from typing import Final

from policies.outcome.answer import Answer

_PER: Final = 1_000_000


def cost(answer: Answer, input: float, cached_input: float | None, output: float) -> float:  # noqa: A002 - the price list's word
    """US dollars for an answer's tokens.

    Args:
        answer: token counts as the provider reported them.
        input: US dollars per million input tokens.
        cached_input: the same for those read from the provider's cache; None: no discount.
        output: US dollars per million output tokens.
    """
    cached = answer.cached_tokens
    cached_price = input if cached_input is None else cached_input
    return ((answer.input_tokens - cached) * input + cached * cached_price + answer.output_tokens * output) / _PER
