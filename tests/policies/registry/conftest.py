"""One PostgreSQL server for all tests of a session."""

from collections.abc import Iterator

import pytest

from tests.policies.registry.server import Server, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def url(postgres: Server) -> str:
    """A registry without rows, or a database without a registry."""
    return postgres.cleared()
