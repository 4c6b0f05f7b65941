"""Memory: short entries that retrieval puts in front of a model, and everything that is decided about them.

1. A snapshot is a set of active entries, named by the hash of its content: a genome that names one always means the
   same entries. Counters and sources are about entries and are in no hash.
2. Entries change by typed operations, each with its inverse.
3. Retrieval is lexical (BM25) and deterministic; where a genome asks for it and an embedding model is configured, the
   likeness of meaning adds to the score. What is held out of a request at random is told as such.
"""

from policies.memory.entry import MAX_ENTRIES, Entry, snapshot_hash
from policies.memory.filter import lint_entry
from policies.memory.index import Index
from policies.memory.library import Library, Recalled, retrieve, withhold
from policies.memory.meanings import Meanings, Near

__all__ = [
    "MAX_ENTRIES",
    "Entry",
    "Index",
    "Library",
    "Meanings",
    "Near",
    "Recalled",
    "lint_entry",
    "retrieve",
    "snapshot_hash",
    "withhold",
]
