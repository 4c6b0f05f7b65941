"""What went well, as entries: sentences that good answers rest on, corrections that several users gave, and examples.

Recorded words become everybody's here, so they must have been everybody's before: a sentence counts only where at least
`min_units` conversations hold it, word for word, and an example only where that many conversations ask the like.
Requests of a tenant make entries of that tenant alone.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from evolver.analysis.topics import Topic
from evolver.examples import Example
from policies.dialects import spoken
from policies.memory import Entry
from policies.memory.words import words

SOURCES = 5  # record ids kept behind an entry: the oldest, so that the newest may judge it
TOPIC_WORDS = 8
SHOTS_PER_TOPIC = 8
SHOT_CHARS = 1_500
_LENGTH = range(4, 61)  # words of a sentence that states something
_TELLING = 4  # letters of a word that says what a text is about
_SHARED = 2  # telling words that a question and what answers it have in common
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")

Key = tuple[str, str]  # tenant, normalised words


@dataclass(slots=True)
class Behind:
    """What stands behind one entry while it is learnt."""

    text: str
    held: set[str] = field(default_factory=set)  # conversations that hold it
    good: list[Example] = field(default_factory=list)  # requests that it answered
    asked: Counter[str] = field(default_factory=Counter)  # telling words of their questions


@dataclass(frozen=True, slots=True)
class Learnt:
    """An entry that may be added; `units` conversations stand behind it, `asked` are questions that it answers."""

    entry: Entry
    units: int
    asked: tuple[str, ...] = ()


def facts(examples: Sequence[Example], min_units: int) -> list[Learnt]:
    """Sentences of requests that answers known to be good rest on, and corrections; the best founded first."""
    found: dict[Key, Behind] = {}
    for example in sorted(examples, key=lambda one: (one.at, one.id)):
        statements = list(_statements(example))
        for text in statements:
            behind = found.setdefault(_key(example, text), Behind(text))
            behind.held.add(example.unit)
        if example.good and (best := _rests_on(example, statements)) is not None:
            _credit(found[_key(example, best)], example)
        if example.correction and (said := _corrected(example, example.correction)) is not None:
            behind = found.setdefault(_key(example, said), Behind(said))
            behind.held.add(example.unit)
            _credit(behind, example)
    kept = [(key, one) for key, one in found.items() if one.good and len(one.held) >= min_units]
    learnt = [_learnt(tenant, one) for (tenant, _), one in kept]
    return sorted(learnt, key=lambda one: (-one.units, one.entry.id))


def shots(topics: Iterable[Topic], min_units: int) -> list[Learnt]:
    """Good answers with their requests: the most typical ones of each topic that enough conversations share."""
    found: list[Learnt] = []
    for topic in topics:
        by_tenant: dict[str, list[Example]] = defaultdict(list)
        for example in topic.examples:
            if example.good and _fits(example):
                by_tenant[example.tenant].append(example)
        for tenant, good in by_tenant.items():
            units = len({example.unit for example in good})
            if units >= min_units:
                typical = {example.request_text: example for example in reversed(good)}
                found += [_shot(tenant, one, units) for one in list(typical.values())[::-1][:SHOTS_PER_TOPIC]]
    return found


def question(example: Example) -> str:
    """What is asked, without the material beside it: the sentences that end as questions, or else the last one."""
    sentences = [text for text in _sentences(example.request_text) if text]
    asked = [text for text in sentences if text.endswith("?")]
    return " ".join(asked or sentences[-1:])


def telling(text: str) -> list[str]:
    """Words that say what a text is about, in order, each once."""
    return [word for word in dict.fromkeys(words(text)) if len(word) >= _TELLING or any(map(str.isdigit, word))]


def _sentences(text: str) -> Iterator[str]:
    for sentence in _SENTENCE_END.split(text):
        yield _BULLET.sub("", sentence).strip()


def _statements(example: Example) -> Iterator[str]:
    """What users and tools have stated in the request, each once."""
    said = (text for role, text in spoken(example.body) if role in {"user", "tool"})
    sentences = dict.fromkeys(sentence for text in said for sentence in _sentences(text))
    yield from (s for s in sentences if not s.endswith(("?", ":")) and len(words(s)) in _LENGTH)


def _rests_on(example: Example, statements: Sequence[str]) -> str | None:
    """The statement that an answer took what it adds to the question from; None where there is none or several."""
    asked = set(telling(question(example)))
    added = set(telling(example.answer_text)) - asked
    figures = {word for word in added if any(map(str.isdigit, word))}
    scored: list[tuple[int, str]] = []
    for text in statements:
        stated = set(telling(text))
        enough = figures <= stated if figures else 2 * len(added & stated) >= len(added)
        if added & stated and enough and len(asked & stated) >= _SHARED:
            scored.append((len(added & stated) + len(asked & stated), text))
    best = max((score for score, _ in scored), default=0)
    leaders = [text for score, text in scored if score == best]
    return leaders[0] if len(leaders) == 1 else None


def _corrected(example: Example, correction: str) -> str | None:
    """A correction as a statement: itself where it is a sentence, else behind its question."""
    said = " ".join(correction.split())
    if len(words(said)) in _LENGTH:
        return said
    asked = question(example)
    return f"{asked} {said}" if said and len(words(f"{asked} {said}")) in _LENGTH else None


def _credit(behind: Behind, example: Example) -> None:
    behind.good.append(example)
    behind.asked.update(word for word in telling(question(example)) if not word.isdigit())


def _key(example: Example, text: str) -> Key:
    return example.tenant, " ".join(words(text))


def _learnt(tenant: str, behind: Behind) -> Learnt:
    stated = set(words(behind.text))
    usual = [word for word, _ in sorted(behind.asked.items(), key=lambda one: (-one[1], one[0])) if word not in stated]
    entry = Entry(
        id=_id("fact", tenant, behind.text),
        text=behind.text,
        topics=tuple(usual[:TOPIC_WORDS]),
        namespace=tenant,
        sources=tuple(dict.fromkeys(one.id for one in behind.good))[:SOURCES],
    )
    return Learnt(entry, len(behind.held), tuple(dict.fromkeys(map(question, behind.good))))


def _fits(example: Example) -> bool:
    text, answer = example.request_text, example.answer_text
    return bool(text.strip() and answer.strip()) and len(text) <= SHOT_CHARS and len(answer) <= SHOT_CHARS


def _shot(tenant: str, example: Example, units: int) -> Learnt:
    text, answer = example.request_text, example.answer_text
    entry = Entry(
        id=_id("shot", tenant, f"{text}\x1f{answer}"),
        text=text,
        answer=answer,
        namespace=tenant,
        sources=(example.id,),
    )
    return Learnt(entry, units, (text,))


def _id(kind: str, tenant: str, text: str) -> str:
    """By content: the same sentence learnt again is the same entry."""
    digest = hashlib.blake2b(f"{tenant}\x1f{text}".encode(), digest_size=6).hexdigest()
    return f"{kind}-{digest}"
