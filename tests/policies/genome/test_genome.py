import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from policies.genome import FewShot, Genome, Rule
from tests.policies.shapes import TEXT

WORDS = TEXT.filter(bool)
GENOMES = st.fixed_dictionaries(
    {},
    optional={
        "prompt": st.fixed_dictionaries(
            {},
            optional={
                "rubric": st.lists(WORDS, max_size=3, unique=True),
                "placement": st.sampled_from(["before", "after", "replace"]),
                "cot": st.booleans(),
                "few_shots": st.lists(st.builds(FewShot, user=WORDS, assistant=WORDS), max_size=2),
                "tone": st.sampled_from(["neutral", "formal", None]),
            },
        ),
        "memory": st.fixed_dictionaries({}, optional={"retriever_topk": st.integers(0, 20)}),
        "strategy": st.fixed_dictionaries(
            {},
            optional={
                "temperature": st.none() | st.floats(0, 1),
                "max_tokens": st.none() | st.integers(256, 8192),
                "model_key": st.none() | st.sampled_from(["small", "large"]),
            },
        ),
    },
).map(Genome.model_validate)


def test_hashes_are_stable_over_releases() -> None:
    assert Genome().content_hash == "2afb9b83f9314e5d029766197f539792"
    genome = Genome.model_validate({"prompt": {"rubric": "Be kind."}, "strategy": {"temperature": 0.5}})
    assert genome.content_hash == "c699fa6ac1a8238a951c5d8ea402f4a2"


def test_defaults_leave_no_trace_in_the_canonical_form() -> None:
    assert Genome().canonical() == {}
    explicit = Genome.model_validate({"prompt": {"cot": False, "rubric": []}, "memory": {"retriever_topk": 0}})
    assert explicit.canonical() == {}
    assert explicit.content_hash == Genome().content_hash


@given(GENOMES)
def test_the_canonical_form_gives_the_genome_back(genome: Genome) -> None:
    again = Genome.model_validate(genome.canonical())
    assert again == genome
    assert again.content_hash == genome.content_hash


@given(GENOMES, GENOMES)
def test_hashes_are_equal_exactly_where_genomes_are(one: Genome, other: Genome) -> None:
    assert (one.content_hash == other.content_hash) == (one == other)


@given(GENOMES, GENOMES)
def test_taking_over_every_changed_layer_gives_the_other(one: Genome, other: Genome) -> None:
    for name in one.changed_layers(other):
        one = one.with_layer(name, other)
    assert one == other
    assert one.changed_layers(other) == ()


def test_a_rule_is_named_by_its_content() -> None:
    rule = Rule.model_validate("Be kind.")
    assert rule.id.startswith("r")
    assert rule == Rule.model_validate({"text": "Be kind."})
    assert rule.id != Rule.model_validate("Be exact.").id
    assert Rule.model_validate({"id": "kind", "text": "Be kind."}).id == "kind"


def test_text_is_a_rubric_of_one_rule() -> None:
    one = Genome.model_validate({"prompt": {"rubric": "Be kind."}})
    assert one == Genome.model_validate({"prompt": {"rubric": ["Be kind."]}})
    assert Genome.model_validate({"prompt": {"rubric": ""}}) == Genome()


@pytest.mark.parametrize(
    "genes",
    [
        {"prompt": {"mood": "x"}},
        {"prompt": {"rubric": [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]}},
        {"prompt": {"rubric": [{"id": "A b", "text": "x"}]}},
        {"prompt": {"rubric": ["x" * 4_001]}},
        {"prompt": {"few_shots": [{"user": "", "assistant": "x"}]}},
        {"memory": {"retriever_topk": 21}},
        {"memory": {"snapshot": "zz"}},
        {"strategy": {"temperature": 1.1}},
        {"strategy": {"top_p": 0}},
        {"strategy": {"max_tokens": 255}},
        {"strategy": {"max_tokens": 8193}},
        {"judge": {}},
    ],
)
def test_bounds(genes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Genome.model_validate(genes)


def test_genomes_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Genome().prompt.cot = True  # type: ignore[misc]
