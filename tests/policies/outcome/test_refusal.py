import pytest

from policies.outcome import Answer, refusal_of


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I\u2019m sorry, I can\u2019t assist with that request.",
        "Sorry, but I cannot help you with this.",
        "I cannot comply with your request.",
        "I am unable to provide such content.",
        "I won't do that.",
        "Unfortunately, I am not able to fulfill this request.",
        "\nI must decline to answer this.",
        "\u2003 \x1cI CANNOT DO THAT.",
        "\u017forry, but i can't help with that.",
        "apologies, \u0131 can't do this",
        "\u0130 can't do that",
    ],
)
def test_unmistakable_openings(text: str) -> None:
    assert refusal_of(Answer(text=text)) == "opening of the text"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I'm sorry to hear that your order is late. It will arrive tomorrow.",
        "I can't help but admire this question.",
        "Sorry, the shop is closed on Sundays.",
        "No, refunds take 14 days.",
        "I can't do that without your order number; please send it.",
        "He said: I can't help with that.",
        "I can't help with that in English, but here is the text in French: " + "bonjour " * 60,
    ],
)
def test_negative_answers_are_no_refusals(text: str) -> None:
    assert refusal_of(Answer(text=text)) is None


def test_the_providers_own_signs() -> None:
    assert refusal_of(Answer(refusal="No.")) == "refusal field"
    assert refusal_of(Answer(text="once", finish_reason="content_filter")) == "content_filter"


def test_a_tool_call_is_an_answer() -> None:
    call = {"id": "c", "name": "f", "arguments": "{}"}
    assert refusal_of(Answer(text="I can't help with that.", tool_calls=[call])) is None
