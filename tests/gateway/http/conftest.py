"""The transport is tested on the loop that it runs on."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Asked by pytest-asyncio for every asynchronous test in this folder."""
    return {"uvloop": uvloop.new_event_loop}
