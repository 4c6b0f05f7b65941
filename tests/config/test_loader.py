"""Every error of a configuration is reported at once, with its path, its line and what would be right."""

from pathlib import Path

import pytest

from config.loader import ConfigError, load, loads
from policies.errors import OperatorError

CONFIG = Path(__file__).parents[2] / "config"
EXAMPLES = sorted([*CONFIG.glob("examples/*.yaml"), *CONFIG.glob("builtin/*.yaml")])

GOOD = """
upstreams:
  openai: {base_url: "https://api.example.com/v1/", api_key: "${KEY}"}
models:
  large: {upstream: openai, model: big, usd_per_mtok: {input: 2, output: 8}}
policies:
  support:
    match: {model: "support-*"}
    genome:
      prompt: {rubric: "You help."}
      strategy: {model_key: large, temperature: 0.7}
"""


def problems(text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loads(text, environ)
    return [str(problem) for problem in caught.value.problems]


def test_every_setting_is_optional() -> None:
    settings = load(None, {})
    assert settings.gateway.port == 8800
    assert settings.gateway.admin_port == 8801
    assert settings.evolver.port == 9127


def test_a_good_file() -> None:
    settings = loads(GOOD, {"KEY": "sk-1"})
    key = settings.upstreams["openai"].api_key
    assert key is not None
    assert key.get_secret_value() == "sk-1"
    assert settings.upstreams["openai"].base_url == "https://api.example.com/v1"
    assert settings.policies["support"].match.model == ("support-*",)
    assert settings.policies["support"].genome.prompt.rubric[0].text == "You help."


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_load(path: Path) -> None:
    local = "http://127.0.0.1:1/v1"
    keys = dict.fromkeys(("OPENAI_API_KEY", "AZURE_API_KEY", "ANTHROPIC_API_KEY"), "sk-1")
    environ = {**keys, "EVOGATE_SANDBOX": local, "EVOGATE_UPSTREAM": local}
    assert load(path, environ).policies


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


def test_a_secret_in_the_clear_is_refused() -> None:
    found = problems(GOOD.replace("${KEY}", "sk-1"))
    assert found == [
        "line 3: upstreams.openai.api_key: holds a secret in the clear; write ${NAME} and set that environment variable"
    ]


def test_an_unset_variable_is_named() -> None:
    assert problems(GOOD) == ["line 3: upstreams.openai.api_key: needs the environment variable KEY, which is not set"]


def test_all_problems_at_once_each_with_its_line() -> None:
    text = """
policies:
  support:
    bandits: {floor: 0.02}
    bandit:
      floor: 3
    validators: [json_schema, foo]
    genome:
      prompt: {plcement: before}
"""
    found = problems(text)
    assert any(p.startswith("line 4: policies.support.bandits: no such setting; did you mean 'bandit'?") for p in found)
    assert any(p.startswith("line 6: policies.support.bandit.floor: Input should be less") for p in found)
    assert any(p.startswith("line 7: policies.support.validators.1: ") for p in found)
    assert any("line 9: policies.support.genome.prompt.plcement: " in p and "'placement'" in p for p in found)


def test_names_that_refer_to_nothing() -> None:
    (found,) = problems(GOOD.replace("upstream: openai", "upstream: opnai"), KEY="k")
    assert "models.large.upstream: 'opnai' is not defined; known: openai" in found


def test_genes_that_need_embeddings_need_their_model() -> None:
    genes = GOOD.replace("temperature: 0.7", "use_consensus: true, agreement: embedding").replace(
        "prompt:", "memory: {retriever_topk: 2, embedding_weight: 3.0}\n      prompt:"
    )
    found = "\n".join(problems(genes, KEY="k"))
    assert "policies.support.genome.memory.embedding_weight: needs embeddings" in found
    assert "policies.support.genome.strategy.agreement: needs embeddings" in found
    assert (
        "embeddings.model_key: 'none' is not defined" in problems(f"{genes}embeddings: {{model_key: none}}", KEY="k")[0]
    )
    assert loads(f"{genes}embeddings: {{model_key: large}}", {"KEY": "k"}).embeddings.timeout_s == 1.0


def test_the_environment_sets_thresholds() -> None:
    settings = loads("", {"EVOGATE_EVOLVER__TRIGGERS__LEARNINGS": "7", "EVOGATE_HOME": "x"})
    assert settings.evolver.triggers.learnings == 7


def test_a_bad_value_from_the_environment_names_the_variable() -> None:
    (found,) = problems("", EVOGATE_EVOLVER__TRIGGERS__LEARNINGS="none")
    assert found.endswith("(from EVOGATE_EVOLVER__TRIGGERS__LEARNINGS)")


def test_the_environment_finds_a_policy_whatever_its_case() -> None:
    settings = loads(GOOD.replace("support:", "Support:"), {"KEY": "k", "EVOGATE_POLICIES__SUPPORT__MODE": "auto"})
    assert settings.policies["Support"].mode == "auto"


def test_an_open_listener_needs_a_token() -> None:
    (found,) = problems("evolver: {host: 0.0.0.0}")
    assert "set `token: ${SOME_VARIABLE}`" in found
    assert loads("evolver: {host: 0.0.0.0, token: '${T}'}", {"T": "x"}).evolver.host == "0.0.0.0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not valid YAML: line 2, column 1"),
        ("- a", "must hold sections"),
        ("gateway: {port: 1}\ngateway: {port: 2}", "settings:2: 'gateway' stands twice (first on line 1)"),
    ],
)
def test_what_is_not_a_configuration(text: str, message: str) -> None:
    with pytest.raises(OperatorError, match="settings") as caught:
        loads(text, {})
    assert message in str(caught.value)


def test_a_missing_file_and_a_binary_one(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="can't be read"):
        load(tmp_path / "none.yaml", {})
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OperatorError, match="not UTF-8"):
        load(tmp_path / "binary.yaml", {})
