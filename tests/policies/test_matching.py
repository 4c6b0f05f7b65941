import pytest

from policies.errors import ClientError
from policies.matching import Matcher

CHAT = "/v1/chat/completions"


@pytest.fixture
def matcher() -> Matcher:
    return Matcher(
        {
            "support": (CHAT, ["support-*", "gpt-4.1*"]),
            "sales": (CHAT, ["gpt-*"]),
            "vectors": ("/v1/embeddings", ["*"]),
        }
    )


@pytest.mark.parametrize(
    ("path", "model", "expected"),
    [
        (CHAT, "support-v2", "support"),
        (CHAT, "gpt-4.1-mini", "support"),  # the first policy that matches, in order of the configuration
        (CHAT, "gpt-5", "sales"),
        (CHAT, "claude", None),
        (CHAT, "sales", "sales"),  # a policy's own name, though no pattern matches it
        ("/v1/embeddings", "gpt-5", "vectors"),
        ("/v1/embeddings", "sales", "vectors"),  # the name of a policy on another path is only a model there
        ("/v1/models", "gpt-5", None),
        (CHAT, "xsupport-1", None),  # patterns match whole names
        (CHAT, "GPT-5", None),  # and tell case
    ],
)
def test_path_and_model_decide(matcher: Matcher, path: str, model: str, expected: str | None) -> None:
    assert matcher.find(path, model) == expected
    assert matcher.find(path, model) == expected  # remembered


def test_own_name_beats_an_earlier_policy_that_matches_everything() -> None:
    matcher = Matcher({"all": (CHAT, ["*"]), "support": (CHAT, ["x"])})
    assert matcher.find(CHAT, "support") == "support"


def test_the_client_chooses_whatever_the_model(matcher: Matcher) -> None:
    assert matcher.find(CHAT, "claude", "sales") == "sales"


def test_a_choice_is_void_on_another_path(matcher: Matcher) -> None:
    assert matcher.find("/v1/embeddings", "x", "sales") is None


def test_choosing_an_unknown_policy_names_the_known_ones(matcher: Matcher) -> None:
    for _ in range(2):
        with pytest.raises(ClientError, match=r"'nope'; known: sales, support, vectors"):
            matcher.find(CHAT, "gpt-5", "nope")


def test_no_patterns_match_nothing() -> None:
    assert Matcher({"p": (CHAT, [])}).find(CHAT, "") is None


def test_memory_is_bounded(matcher: Matcher) -> None:
    for number in range(10_000):
        matcher.find(CHAT, f"gpt-{number}")
    assert len(matcher._known) <= 4_096
    assert matcher.find(CHAT, "gpt-1") == "sales"
