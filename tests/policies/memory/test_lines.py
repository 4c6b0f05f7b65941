"""Entries as JSON lines come back as they were; what is no entry is told by its line."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import OperatorError
from policies.memory import Entry, lines
from policies.memory.lines import from_lines, pack, to_lines, unpack

NAMES = st.text(st.characters(codec="utf-8"), max_size=8)
GROUPS = st.lists(NAMES, max_size=3).map(tuple)
ENTRIES = st.lists(
    st.builds(Entry, NAMES, NAMES, GROUPS, NAMES, NAMES, GROUPS, st.sampled_from(["active", "deprecated"]), NAMES),
    max_size=5,
    unique_by=lambda entry: entry.id,
)


@given(ENTRIES)
def test_lines_and_packed_lines_come_back_as_they_were(entries: list[Entry]) -> None:
    assert list(from_lines(b"".join(to_lines(entries)), "here")) == entries
    assert list(unpack(pack(entries), "here")) == entries


@given(st.binary(max_size=60))
def test_whatever_the_bytes_the_only_error_is_the_operators(data: bytes) -> None:
    for read in (from_lines, unpack):
        with contextlib.suppress(OperatorError):
            list(read(data, "here"))


def test_too_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_ENTRIES", 3)
    rows = [b'{"id":"%d","text":"x"}\n' % number for number in range(4)]
    assert len(list(from_lines(b"".join(rows[:3]), "here"))) == 3
    with pytest.raises(OperatorError, match="more than 3 entries"):
        list(from_lines(b"".join(rows), "here"))
