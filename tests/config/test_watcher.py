"""Hot reload: whole or not at all, and the last good configuration survives."""

import os
from pathlib import Path

from config.settings import Settings
from config.watcher import Watcher


class Heard:
    """Collects what a watcher says."""

    def __init__(self) -> None:
        self.settings: list[Settings] = []
        self.errors: list[str] = []


def watcher(path: Path) -> tuple[Watcher, Heard]:
    heard = Heard()
    return Watcher(path, {}, heard.settings.append, heard.errors.append), heard


def test_a_change_is_handed_over_once(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("gateway: {port: 1}")
    watch, heard = watcher(path)
    assert not watch.look()
    path.write_text("gateway: {port: 20}")
    assert watch.look()
    assert not watch.look()
    assert [s.gateway.port for s in heard.settings] == [20]


def test_a_bad_file_is_reported_once_and_nothing_is_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("gateway: {port: 1}")
    watch, heard = watcher(path)
    path.write_text("gateway: {port: minus}")
    assert not watch.look()
    assert not watch.look()
    assert len(heard.errors) == 1
    assert "gateway.port" in heard.errors[0]
    assert heard.settings == []


def test_a_file_replaced_by_rename_is_seen_and_an_absent_one_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("gateway: {port: 1}")
    watch, heard = watcher(path)
    path.unlink()
    assert not watch.look()
    other = tmp_path / "new.yaml"
    other.write_text("gateway: {port: 2}")
    os.replace(other, path)
    assert watch.look()
    assert heard.settings[0].gateway.port == 2
