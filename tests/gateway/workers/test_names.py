"""Writers' names: plain on one machine, told apart in a fleet."""

import re

from pydantic import SecretStr

from config.records import Registry
from gateway.workers.names import numbered_like, writer_names

URL = SecretStr("postgresql://db.example/evogate")


def test_one_machine_needs_no_name() -> None:
    assert writer_names(Registry(node="alpha"), 2) == ["w0", "w1"]


def test_machines_of_a_fleet_are_told_apart() -> None:
    assert writer_names(Registry(url=URL, node="alpha"), 2) == ["alpha.w0", "alpha.w1"]
    (name,) = writer_names(Registry(url=URL), 1)
    assert re.fullmatch(r"[A-Za-z0-9-]+\.w0", name)


def test_what_stands_before_the_number() -> None:
    assert [numbered_like(name) for name in ("w0", "w12", "node-7.w3")] == ["w", "w", "node-7.w"]
