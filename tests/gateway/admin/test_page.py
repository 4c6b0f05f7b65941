"""Asking for a page costs its maker no more for being done often."""

import asyncio
from collections.abc import Iterator

import pytest

from gateway.admin import page as page_module
from gateway.admin.page import Page


async def test_it_is_made_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    made, go = 0, asyncio.Event()

    async def make() -> bytes:
        nonlocal made
        made += 1
        await go.wait()
        return b"%d" % made

    page = Page(make)
    monkeypatch.setattr(page_module, "FRESH_S", 3600.0)
    first = [asyncio.create_task(page()) for _ in range(20)]
    first[3].cancel()
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(*first, return_exceptions=True)
    assert {task.result() for task in first if not task.cancelled()} == {b"1"}
    assert await page() == b"1"
    page.forget()
    assert await page() == b"2"
    monkeypatch.setattr(page_module, "FRESH_S", -1.0)
    assert await page() == b"3"


async def test_a_failure_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "FRESH_S", -1.0)
    answers: Iterator[bytes | Exception] = iter([ValueError("not yet"), b"now"])

    async def make() -> bytes:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    page = Page(make)
    with pytest.raises(ValueError, match="not yet"):
        await page()
    assert await page() == b"now"
