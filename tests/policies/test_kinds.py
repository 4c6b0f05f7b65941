"""Paths and keys by kind of provider."""

from typing import get_args

import pytest

from policies.kinds import KEYS, VERSIONS, Address, Kind

AZURE = "https://x.openai.azure.com/openai/deployments/{model}"
CHAT = b"/v1/chat/completions"


def test_every_kind_is_in_the_tables() -> None:
    assert set(get_args(Kind)) == set(KEYS) == set(VERSIONS)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("openai", (b"authorization", b"Bearer k")),
        ("azure", (b"api-key", b"k")),
        ("anthropic", (b"x-api-key", b"k")),
    ],
)
def test_the_key_goes_where_the_kind_wants_it(kind: Kind, field: tuple[bytes, bytes]) -> None:
    assert Address(kind, "https://h/v1", "k").credential == field
    assert Address(kind, "https://h/v1", None).credential is None


@pytest.mark.parametrize(
    ("base", "target", "path"),
    [
        ("https://h/v1", CHAT, b"/v1/chat/completions"),
        ("https://h", b"/v1/models?x=1", b"/models?x=1"),
        ("https://h", b"/v1", b"/"),
        ("https://h/api/v1", b"/v1?x", b"/api/v1?x"),
        ("https://h/api/v1", b"/v1beta/x", b"/v1beta/x"),
        ("https://h/api/v1", b"/other", b"/other"),
    ],
)
def test_the_base_stands_for_v1(base: str, target: bytes, path: bytes) -> None:
    assert Address("openai", base, None).path(target, "any") == path
    assert Address("anthropic", base, None).path(target) == path


@pytest.mark.parametrize(
    ("target", "model", "path"),
    [
        (CHAT, "gpt-4.1", b"/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21"),
        (CHAT, "a/b c", b"/openai/deployments/a%2Fb%20c/chat/completions?api-version=2024-10-21"),
        (b"/v1/models", "", b"/openai/models?api-version=2024-10-21"),
        (b"/v1/files?purpose=x", "", b"/openai/files?purpose=x&api-version=2024-10-21"),
        (b"/v1/files?api-version=1", "", b"/openai/files?api-version=1"),
        (b"/elsewhere", "m", b"/elsewhere"),
    ],
)
def test_azure_names_the_deployment_and_the_version(target: bytes, model: str, path: bytes) -> None:
    assert Address("azure", AZURE, None).path(target, model) == path


def test_azures_version_is_the_configured_one_and_the_version_less_api_gets_none() -> None:
    assert Address("azure", AZURE, None, "2025-01-01").path(CHAT, "m").endswith(b"?api-version=2025-01-01")
    v1 = "https://x.openai.azure.com/openai/v1"
    assert Address("azure", v1, None).path(CHAT, "m") == b"/openai/v1/chat/completions"
    assert Address("azure", v1, None, "preview").path(CHAT) == b"/openai/v1/chat/completions?api-version=preview"


def test_anthropic_wants_a_version_of_its_own() -> None:
    assert Address("anthropic", "https://h/v1", None).version == (b"anthropic-version", b"2023-06-01")
    assert Address("anthropic", "https://h/v1", None, "2099-01-01").version == (b"anthropic-version", b"2099-01-01")
    assert Address("openai", "https://h/v1", None).version is None
    assert Address("azure", AZURE, None).version is None
