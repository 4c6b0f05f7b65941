"""The write filter: what may not become an entry, whoever proposes it."""

from policies.lint import lint_text
from policies.memory.entry import Entry

ENTRY_CHARS = 4_000
NAME_CHARS = 128


def lint_entry(entry: Entry) -> list[str]:
    """Why an entry may not be written, one sentence each; empty: it may."""
    name = entry.id[:NAME_CHARS]
    sentences = [f"Entry '{name}' {fault}." for fault in lint_text("\n".join(_texts(entry)))]
    if not entry.text.strip():
        sentences.append(f"Entry '{name}' is empty.")
    if len(entry.text) > ENTRY_CHARS or len(entry.answer) > ENTRY_CHARS:
        sentences.append(f"Entry '{name}' is longer than {ENTRY_CHARS} characters.")
    if not entry.id or len(entry.id) > NAME_CHARS or len(entry.namespace) > NAME_CHARS:
        sentences.append(f"Entry '{name}' must have an id, and it and the namespace at most {NAME_CHARS} characters.")
    return sentences


def _texts(entry: Entry) -> tuple[str, ...]:
    return entry.text, entry.answer, *entry.topics
