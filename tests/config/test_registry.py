"""The registry's section: where it may point to, what stays secret, and reading it alone."""

from pathlib import Path

import pytest

from config.loader import ConfigError, load_registry, loads

URL = "postgresql://evogate:${PW}@db.example/evogate"


def test_the_password_comes_from_the_environment_and_is_not_shown() -> None:
    settings = loads(f"registry: {{url: '{URL}'}}", {"PW": "hunter2"})
    assert settings.registry.database == "postgresql://evogate:hunter2@db.example/evogate"
    assert "hunter2" not in repr(settings) + settings.model_dump_json()
    assert loads("", {}).registry.database is None


@pytest.mark.parametrize("url", ["postgresql://db.example/evogate", "postgres://evogate@[::1]:5433/evogate"])
def test_a_url_without_a_password_may_be_written_out(url: str) -> None:
    assert loads(f"registry: {{url: '{url}'}}", {}).registry.database == url


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{url: 'postgresql://evogate:hunter2@db/evogate'}", "holds a secret in the clear; write ${NAME}"),
        ("{url: 'mysql://db/evogate'}", "write a URL such as postgresql://user@host/database"),
        ("{node: 'a.b'}", "should match pattern"),
    ],
)
def test_what_can_not_be_used(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(f"registry: {text}", {})
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_section_alone_needs_no_other_secret(tmp_path: Path) -> None:
    path = tmp_path / "evogate.yaml"
    path.write_text(
        f"upstreams: {{openai: {{base_url: 'http://x', api_key: '${{ABSENT}}'}}}}\nregistry: {{url: '{URL}'}}"
    )
    environ = {"PW": "p", "EVOGATE_MODELS__SMALL__UPSTREAM": "absent"}
    assert load_registry(path, environ).database == "postgresql://evogate:p@db.example/evogate"
    environ |= {"EVOGATE_REGISTRY__URL": "postgresql://other/evogate"}
    assert load_registry(path, environ).database == "postgresql://other/evogate"
    assert load_registry(None, {}).database is None
