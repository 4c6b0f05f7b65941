"""Settings of several upstreams and of failures: what is accepted, and the one error that says what would be right."""

import pytest

from config.loader import ConfigError, loads

FILE = """
upstreams:
  openai: {base_url: "https://api.example.com/v1", api_key: "${KEY}"}
  azure:
    kind: azure
    base_url: "https://x.example.com/openai/deployments/{model}"
    api_version: "2024-10-21"
    api_key: "${KEY}"
    max_concurrency: 64
    queue: 16
    queue_timeout_s: 2
    health: {consecutive: 5, backoff_s: 2}
  claude: {kind: anthropic, base_url: "https://api.example.org/v1", api_key: "${KEY}"}
models:
  large: {upstreams: {openai: 3, azure: 1}, model: big}
  other: {upstream: claude, model: claude-x}
policies:
  support:
    resilience:
      retries: 1
      retry_budget: {ratio: 0.1, per_s: 5, burst: 20}
      timeouts: {connect_s: 2, first_byte_s: 20, idle_s: 15, total_s: 120}
      fallbacks: [other]
      rescue: true
"""


def problem(old: str, new: str) -> str:
    assert old in FILE
    with pytest.raises(ConfigError) as caught:
        loads(FILE.replace(old, new), {"KEY": "k"})
    (found,) = caught.value.problems
    return str(found)


def test_a_good_file() -> None:
    settings = loads(FILE, {"KEY": "k"})
    large, other = settings.models["large"], settings.models["other"]
    assert (large.upstream, large.places) == ("openai", {"openai": 3.0, "azure": 1.0})
    assert (other.upstream, other.places) == ("claude", {"claude": 1.0})
    assert settings.upstreams["azure"].health.consecutive == 5
    assert settings.upstreams["azure"].health.max_backoff_s == 60.0
    rules = settings.policies["support"].resilience
    assert (rules.retries, rules.fallbacks, rules.timeouts.total_s) == (1, ("other",), 120.0)


def test_settings_survive_being_written_and_read_again() -> None:
    model = loads(FILE, {"KEY": "k"}).models["large"]
    assert type(model).model_validate(model.model_dump()) == model


def test_defaults_have_no_limit_and_no_fallback() -> None:
    settings = loads("upstreams: {a: {base_url: 'http://h/v1'}}\npolicies: {p: {}}", {})
    assert settings.upstreams["a"].max_concurrency is None
    assert settings.upstreams["a"].kind == "openai"
    assert settings.policies["p"].resilience.fallbacks == ()
    assert not settings.policies["p"].resilience.rescue


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fallbacks: [other]", "fallbacks: [othr]", "policies.support.resilience.fallbacks.0: 'othr' is not defined"),
        ("{openai: 3, azure: 1}", "{openai: 3, azur: 1}", "models.large.upstream: 'azur' is not defined"),
        ("{openai: 3, azure: 1}", "{openai: 3, azure: 0}", "greater than 0"),
        ("upstreams: {openai: 3, azure: 1}", "upstreams: {}", "needs either `upstream: NAME` or `upstreams:"),
        ("{upstream: claude", "{upstream: claude, upstreams: {openai: 1}", "needs either `upstream: NAME`"),
        ("    kind: azure\n", "", "belongs to `kind: azure` or `kind: anthropic`"),
        ('    kind: azure\n', '    kind: azur\n', "upstreams.azure.kind"),
        ('    api_version: "2024-10-21"\n', '    api_version: "a&b"\n', "upstreams.azure.api_version"),
        ('kind: anthropic, base_url: "https://api', 'base_url: "https://{model}.api', "{model} in base_url"),
        ("consecutive: 5", "consecutiv: 5", "did you mean 'consecutive'?"),
        ("burst: 20", "burst: 0", "retry_budget.burst"),
        ("rescue: true", "resque: true", "did you mean 'rescue'?"),
        ("retries: 1", "retries: 99", "resilience.retries"),
    ],
)  # fmt: skip
def test_each_mistake_has_one_clear_error(old: str, new: str, message: str) -> None:
    assert message in problem(old, new)
