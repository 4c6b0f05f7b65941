"""Recognising hidden rules in whatever words, and not where they are denied."""

import pytest

from gateway.sandbox.paraphrases import PARAPHRASES
from gateway.sandbox.rules import HARMFUL_RULE, RULES, read_text
from policies.render.wording import COT, FORMAT, TONE, VERBOSITY


def test_every_rule_has_words() -> None:
    assert RULES.keys() == PARAPHRASES.keys()
    assert all(words.phrasings and words.held_out_phrasings and words.held_out for words in PARAPHRASES.values())


@pytest.mark.parametrize("rule", sorted(PARAPHRASES))
def test_wordings_are_recognised_by_their_own_part_only(rule: str) -> None:
    words = PARAPHRASES[rule]
    for text in words.phrasings:
        assert rule in read_text(text, "open").supports, text
    for text in words.held_out_phrasings:
        assert rule in read_text(text, "held_out").supports, text
        assert rule in read_text(text, "all").supports, text
        assert rule not in read_text(text, "open").supports, text
    assert rule in read_text(words.complaint, "open").supports


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Answer with that label alone, spelled exactly as it was offered.", "bare_label"),
        ("Output nothing except the category.", "bare_label"),
        ("Do not add any explanation.", "bare_label"),
        ("Do not add any explanation.", "bare_letter"),
        ("Your reply must be a single letter.", "bare_letter"),
        ("All dates in ISO 8601, please.", "iso_dates"),
        ("Format dates as YYYY-MM-DD", "iso_dates"),
        ("Never wrap the output in backticks.", "raw_json"),
        ("Let's think step by step.", "reason"),
        ("Show your work.", "reason"),
        ("Put the result on the last line.", "final_answer"),
        ("Include all required parameters in function calls.", "all_arguments"),
        ("Always call the function without asking the user first.", "call_tool"),
        ("When reference material is given, answer from it alone.", "ground"),
        ("Rely on the documents.", "ground"),
        ("Choose the topic that was mentioned first.", "first_issue"),
        ("The last problem decides.", "last_issue"),
    ],
)
def test_other_words_for_the_same(text: str, rule: str) -> None:
    assert rule in read_text(text, "open").supports


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Do not reply with just the label.", "bare_label"),
        ("Never answer with only a letter.", "bare_letter"),
        ("Always explain your answer.", "bare_label"),
        ("Keep dates as written.", "iso_dates"),
        ("Do not use ISO dates.", "iso_dates"),
        ("Put JSON in a code block.", "raw_json"),
        ("Do not show your work.", "reason"),
        ("Avoid thinking step by step.", "reason"),
        ("Skip optional arguments.", "all_arguments"),
        ("Ask for confirmation before you do anything.", "call_tool"),
        ("Ignore the reference material.", "ground"),
        ("The last problem decides.", "first_issue"),
    ],
)
def test_denials_contradict(text: str, rule: str) -> None:
    reading = read_text(text, "open")
    assert rule in reading.contradicts
    assert rule not in reading.supports


def test_contradiction_elsewhere_is_kept_beside_the_statement() -> None:
    reading = read_text("Reply with only the label. Always explain your answer.", "open")
    assert "bare_label" in reading.supports
    assert "bare_label" in reading.contradicts


def test_the_harmful_rule_spares_json_and_tools() -> None:
    reading = read_text(HARMFUL_RULE, "open")
    assert reading.contradicts == {"bare_label", "bare_letter"}
    assert not reading.supports
    assert "hedge" in reading.traits


@pytest.mark.parametrize(
    "text", ["You are a helpful assistant.", "Support inbox.", *TONE.values(), VERBOSITY["balanced"]]
)
def test_neutral_texts_state_nothing(text: str) -> None:
    reading = read_text(text, "all")
    assert not reading.supports | reading.contradicts | reading.traits


def test_rendered_genes_act() -> None:
    assert "reason" in read_text(COT, "open").supports
    assert "everywhere" in read_text(COT, "open").traits
    assert "brief" in read_text(VERBOSITY["brief"], "open").traits
    assert "thorough" in read_text(VERBOSITY["thorough"], "open").traits
    assert "json" in read_text(FORMAT["json"], "open").traits
    assert "markdown" in read_text(FORMAT["markdown"], "open").traits


def test_reasoning_that_names_its_place_stays_there() -> None:
    for text in PARAPHRASES["reason"].phrasings:
        assert "everywhere" not in read_text(text, "open").traits, text
