"""Who works in a folder, as the registry calls them; what a name's fence does is in the conformance suite."""

import socket
from pathlib import Path

from policies.registry.fence import holder_in


def test_a_holder_is_the_same_after_a_restart_and_another_in_a_copy(tmp_path: Path) -> None:
    original, copy = tmp_path / "a", tmp_path / "b"
    original.mkdir()
    copy.mkdir()
    first = holder_in(original, shared=True)
    assert holder_in(original, shared=True) == first
    assert first.startswith(f"{socket.gethostname()}:{original} (")
    assert first.rpartition("(")[2] != holder_in(copy, shared=True).rpartition("(")[2]


def test_where_nobody_shares_the_registry_a_new_container_is_the_same_holder(tmp_path: Path) -> None:
    assert holder_in(tmp_path, shared=True) == f"{socket.gethostname()}:{holder_in(tmp_path, shared=False)}"
